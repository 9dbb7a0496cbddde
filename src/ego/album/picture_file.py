"""PictureFile: a photo or clip of an album, as the file system tells of it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["image", "video"]


@dataclass(frozen=True, order=True)
class PictureFile:
    """A file of an album.

    Attributes:
        path: Absolute.
        size: Bytes.
        modified: Nanoseconds since 1970.
        kind: Image or video.
    """

    path: str
    size: int
    modified: int
    kind: Kind
