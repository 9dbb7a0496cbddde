"""Read a downloaded folder: images in natural order, JSON files, and plain words when something is missing."""

import json
import re
from pathlib import Path
from typing import Any

from ego.errors import DatasetError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".heic"}
POINTER_START = b"version https://git-lfs"


def natural_order(path: Path) -> list[tuple[bool, int, str]]:
    """Sort key by which `dog_2.jpg` comes before `dog_10.jpg`."""
    pieces = re.split(r"(\d+)", path.name)
    return [(piece.isdigit(), int(piece) if piece.isdigit() else 0, piece) for piece in pieces]


def images_in(folder: Path) -> list[Path]:
    """List the images directly in `folder`, in natural order; folders inside it (such as negatives) are left out.

    Masks beside an image (`0_mask.png`) are no images of their own.

    Raises:
        DatasetError: If a file is a Git-LFS pointer instead of an image.
    """
    if not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    images = [path for path in files if not path.stem.endswith("_mask") and not path.name.startswith(".")]
    for path in images:
        refuse_pointer(path)
    return sorted(images, key=natural_order)


def folders_in(folder: Path) -> list[Path]:
    """List the visible folders in `folder`, in natural order."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."), key=natural_order)


def require(folder: Path, how_to_get: str) -> Path:
    """Return an existing folder.

    Raises:
        DatasetError: With what to download and where to put it.
    """
    if not folder.is_dir():
        raise DatasetError(f"no folder {folder}. {how_to_get}")
    return folder


def first_existing(*candidates: Path) -> Path | None:
    """Return the first path that exists."""
    return next((path for path in candidates if path.exists()), None)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DatasetError: If it is a Git-LFS pointer or not JSON.
    """
    refuse_pointer(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} is not readable JSON ({error}); download it again") from error


def relative(path: Path, root: Path) -> str:
    """Spell a path relative to the root of its data set, with forward slashes."""
    return path.relative_to(root).as_posix()


def refuse_pointer(path: Path) -> None:
    """Refuse a file that Git LFS has not fetched.

    Raises:
        DatasetError: If it is a Git-LFS pointer.
    """
    with path.open("rb") as file:
        start = file.read(len(POINTER_START))
    if start == POINTER_START:
        raise DatasetError(f"{path} is a Git-LFS pointer, not the file itself; run `git lfs pull` in its repository")
