"""Folders of the user -> the pictures and clips in them, in a stable order."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ego.album.picture_file import Kind, PictureFile
from ego.errors import InputError
from ego.photo_files import is_file, is_image_name, is_passed_over, is_video_name


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


def kind_of(path: Path) -> Kind | None:
    """Tell by its name what a file of an album is; None for everything else."""
    if is_passed_over(path.name):
        return None
    if is_image_name(path):
        return "image"
    return "video" if is_video_name(path) else None


def _walk(folder: Path, unreadable: dict[str, str]) -> Iterator[PictureFile]:
    def note(error: OSError) -> None:
        unreadable[_shown(str(error.filename))] = error.strerror or str(error)

    for here, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not is_passed_over(name))
        for name in files:
            path = Path(here) / name
            kind = kind_of(path)
            if kind is not None and is_file(path):
                yield from _told(path, kind, unreadable)


def _told(path: Path, kind: Kind, unreadable: dict[str, str]) -> Iterator[PictureFile]:
    try:
        str(path).encode()
        status = path.stat()
    except UnicodeEncodeError:
        unreadable[_shown(str(path))] = "its name is not UTF-8; rename it"
    except OSError as error:
        unreadable[str(path)] = error.strerror or str(error)
    else:
        yield PictureFile(str(path), status.st_size, status.st_mtime_ns, kind)


def _shown(path: str) -> str:
    return os.fsencode(path).decode(errors="replace")
