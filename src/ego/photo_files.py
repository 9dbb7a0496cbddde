"""Which files of a folder are photos or videos by their names, and which entries belong to other programs.

The one list for everything that walks through folders. What a file really is, is found out by opening it; what is
named like nothing we read is reported, not guessed.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from ego.media import FORMATS

_CONTAINERS = "3g2 3gp asf avi dv flv ivf m2ts m4v mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv"
_BARE_STREAMS = "264 265 h264 h265 hevc m2v y4m"
VIDEO_SUFFIXES = frozenset(f".{kind}" for kind in f"{_CONTAINERS} {_BARE_STREAMS}".split())
HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})  # phones write them; whether they can be read, opening tells
# Folders that network storage, archives and systems put beside photos (lower case), and what only looks like a photo.
_FOREIGN_FOLDERS = frozenset(
    {
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "@__thumb", "@sharebin", "@snapshot"),  # Synology, QNAP
        *("#recycle", "#snapshot", "#thumbnail", "~snapshot"),
        *("__macosx", "$recycle.bin", "recycler", "recycled", "system volume information", "found.000", "lost+found"),
        *("thumbs", ".thumbnails", "__pycache__"),
    }
)
_FOREIGN_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "synophoto_thumb_m.jpg"})


@dataclass(frozen=True)
class Listing:
    """The files directly in a folder.

    Attributes:
        images: Named like a photo, in natural order.
        videos: Named like a video.
        others: Named like neither; what other programs leave behind is not among them.
    """

    images: tuple[Path, ...] = ()
    videos: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()


@cache
def image_suffixes() -> frozenset[str]:
    """Suffixes of every image format that is read, in lower case."""
    Image.init()
    known = {suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS}
    return frozenset(known | HEIF_SUFFIXES | {".jfif", ".mpo"})


def is_image_name(path: Path) -> bool:
    """Say whether a file is named like a photo."""
    return path.suffix.lower() in image_suffixes()


def is_video_name(path: Path) -> bool:
    """Say whether a file is named like a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def is_passed_over(name: str) -> bool:
    """Say whether a file or folder of this name belongs to the system, a network store or an archive tool."""
    folded = name.casefold()
    return name.startswith(".") or folded in _FOREIGN_FOLDERS or folded in _FOREIGN_FILES


def is_file(path: Path) -> bool:
    """Say whether there is a regular file; a path that no system accepts (too long, a NUL in it) is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def in_either_form(path: Path) -> Path:
    """Give a path as it is, or, if no file is there, with its accents composed or decomposed, as systems differ."""
    forms = (path, *(Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD")))
    return next((one for one in forms if is_file(one)), path)


def listing(folder: Path) -> Listing:
    """List the files directly in a folder.

    Raises:
        OSError: If the folder cannot be read.
    """
    files = [path for path in _entries(folder) if not is_passed_over(path.name) and is_file(path)]
    images = [path for path in files if is_image_name(path)]
    videos = [path for path in files if is_video_name(path)]
    others = [path for path in files if not (is_image_name(path) or is_video_name(path))]
    return Listing(tuple(images), tuple(videos), tuple(others))


def folders_below(root: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Walk through all folders that are the user's own, each with the names of the folders in it.

    A folder that cannot be read counts as empty; links to folders are named but not followed, so that no loop is.
    """
    for folder, names, _ in os.walk(root):
        names[:] = sorted((name for name in names if not is_passed_over(name)), key=natural_order)
        yield Path(folder), tuple(names)


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """Sort key by which `dog_2.jpg` comes before `dog_10.jpg`."""
    pieces = _pieces(name)
    return [(piece.isdecimal(), int(piece) if piece.isdecimal() else 0, piece) for piece in pieces]


def _pieces(name: str) -> list[str]:
    """Cut a name into digits (at most 18 at a time: numbers, not books) and what is between them."""
    return re.split(r"([0-9]{1,18})", name)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda path: natural_order(path.name))
