"""Folders of the user -> the pictures and clips in them, in a stable order."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ego.errors import InputError

Kind = Literal["image", "video"]
IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic"),
        *(".heif", ".jp2", ".mpo"),
    )
)
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".3gp", ".ogv", ".wmv", ".flv")
)
# What NAS, archive and photo programs keep beside the pictures: previews, bins, snapshots.
PASSED_OVER = frozenset(
    (
        "@eadir",
        "#recycle",
        "#snapshot",
        "__macosx",
        "$recycle.bin",
        "lost+found",
        "thumbnails",
        "system volume information",
    )
)


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


@dataclass(frozen=True)
class Listing:
    """What a walk through folders found.

    Attributes:
        files: Pictures and clips, by path.
        unreadable: Folders and files that could not be looked into, with the reason.
    """

    files: tuple[PictureFile, ...]
    unreadable: tuple[tuple[str, str], ...]


def list_pictures(folders: Sequence[str | os.PathLike[str]]) -> Listing:
    """Find every picture and clip below some folders; hidden ones and those of NAS programs are passed over.

    Raises:
        InputError: If a folder does not exist, or is a file.
    """
    found: dict[str, PictureFile] = {}
    unreadable: dict[str, str] = {}
    for folder in folders:
        place = Path(os.path.abspath(folder))  # noqa: PTH100 - unlike resolve(), keeps links as the user sees them
        if not place.is_dir():
            raise InputError(f"{folder} is no folder; give folders of photos and clips")
        for entry in _walk(place, unreadable):
            found[entry.path] = entry
    return Listing(tuple(sorted(found.values())), tuple(sorted(unreadable.items())))


def kind_of(name: str) -> Kind | None:
    """Tell by its suffix what a file of an album is; None for everything else."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a name, not a path
    if suffix in IMAGE_SUFFIXES:
        return "image"
    return "video" if suffix in VIDEO_SUFFIXES else None


def _walk(folder: Path, unreadable: dict[str, str]) -> Iterator[PictureFile]:
    def note(error: OSError) -> None:
        unreadable[str(error.filename)] = error.strerror or str(error)

    for here, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name.lower() not in PASSED_OVER)
        for name in files:
            kind = None if name.startswith(".") else kind_of(name)
            if kind is not None:
                yield from _regular(os.path.join(here, name), kind, unreadable)  # noqa: PTH118


def _regular(path: str, kind: Kind, unreadable: dict[str, str]) -> Iterator[PictureFile]:
    try:
        path.encode()
        status = Path(path).stat()
    except UnicodeEncodeError:
        unreadable[path.encode(errors="surrogateescape").decode(errors="replace")] = "its name is no UTF-8; rename it"
    except OSError as error:
        unreadable[path] = error.strerror or str(error)
    else:
        if os.path.isfile(path):  # noqa: PTH113 - neither pipe nor device
            yield PictureFile(path, status.st_size, status.st_mtime_ns, kind)
