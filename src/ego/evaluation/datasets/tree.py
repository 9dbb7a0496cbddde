"""Read a downloaded folder: images in natural order, JSON files, and plain words when something is missing."""

from pathlib import Path
from typing import Any

from ego import photo_files as names
from ego import text_file
from ego.errors import DatasetError
from ego.limits import VIDEO_BYTES
from ego.photo_files import Listing, is_passed_over, listing
from ego.regular_file import open_regular

POINTER_START = b"version https://git-lfs"


def natural_order(path: Path) -> list[tuple[bool, int, str]]:
    """Sort key by which `dog_2.jpg` comes before `dog_10.jpg`."""
    return names.natural_order(path.name)


def is_text(path: Path) -> bool:
    """Tell whether a path can be written into a manifest: names of files may be any bytes."""
    return not any("\ud800" <= character <= "\udfff" for character in str(path))


def images_in(folder: Path) -> list[Path]:
    """List the images directly in `folder`, in natural order; folders inside it (such as negatives) are left out.

    Masks beside an image (`0_mask.png`) are no images of their own.

    Raises:
        DatasetError: If a file is a Git-LFS pointer instead of an image.
    """
    if not folder.is_dir():
        return []
    images = [path for path in readable_listing(folder).images if not path.stem.endswith("_mask")]
    for path in images:
        refuse_pointer(path)
    return images


def readable_listing(folder: Path) -> Listing:
    """List the files in a folder by kind.

    Raises:
        DatasetError: If the folder cannot be read.
    """
    try:
        return listing(folder)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read ({error.strerror}); check its permissions") from error


def folders_in(folder: Path) -> list[Path]:
    """List the visible folders in `folder`, in natural order."""
    if not folder.is_dir():
        return []
    own = (path for path in folder.iterdir() if path.is_dir() and not is_passed_over(path.name))
    return sorted(own, key=natural_order)


def require(folder: Path, how_to_get: str) -> Path:
    """Return an existing folder.

    Raises:
        DatasetError: With what to download and where to put it.
    """
    if not folder.is_dir():
        raise DatasetError(f"no folder {folder}. {how_to_get}")
    if not is_text(folder):
        raise DatasetError(f"the path {folder} is not UTF-8, and records could not name it; rename it")
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
    return text_file.read_json(path, DatasetError)


def relative(path: Path, root: Path) -> str:
    """Spell a path relative to the root of its data set, with forward slashes."""
    return path.relative_to(root).as_posix()


def refuse_pointer(path: Path) -> None:
    """Refuse a file that Git LFS has not fetched; one that cannot be opened is for its reader to report.

    Raises:
        DatasetError: If it is a Git-LFS pointer.
    """
    try:
        with open_regular(path, largest=VIDEO_BYTES, refuse=DatasetError) as file:
            start = file.read(len(POINTER_START))
    except DatasetError:
        return
    if start == POINTER_START:
        raise DatasetError(f"{path} is a Git-LFS pointer, not the file itself; run `git lfs pull` in its repository")
