"""LoadedImage and Frame: pictures as the method sees them, with what is known of where they came from."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from PIL import Image


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """A picture by itself.

    Attributes:
        picture: Upright 8-bit sRGB image, in memory; at most `limits.KEPT_PIXELS` large.
        source: Where it came from, for messages: a path, or what kind of object was given.
        full_size: Width and height as displayed before a very large photo was made smaller; None: it was not.
        orientation: How the file stores it, as EXIF counts (1: upright; 2 to 8 were turned for `picture`).
    """

    picture: Image.Image
    source: str
    full_size: tuple[int, int] | None = None
    orientation: int = 1

    @property
    def displayed_size(self) -> tuple[int, int]:
        """Width and height that a viewer shows: the space of masks and boxes."""
        return self.full_size or self.picture.size

    @cached_property
    def digest(self) -> str:
        """Identify the picture: sha256 of its size and pixels, whatever file format it came in."""
        return picture_digest(self.picture)


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture of a query.

    Attributes:
        picture: Upright 8-bit sRGB image.
        seconds: When it is shown, from the start of its video or animation; None for a picture by itself.
    """

    picture: Image.Image
    seconds: float | None = None


def picture_digest(picture: Image.Image) -> str:
    """Identify an upright RGB picture: sha256 of its size and pixels."""
    size = "{}x{}".format(*picture.size).encode()
    return hashlib.sha256(size + picture.tobytes()).hexdigest()
