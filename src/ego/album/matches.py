"""Matches -> a folder of links to, or copies of, the pictures; the originals are only read."""

import filecmp
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ego.album.find import Match
from ego.atomic_file import make_folder
from ego.errors import InputError

Way = Literal["link", "copy"]


def gather(matches: Sequence[Match], folder: Path, way: Way) -> int:
    """Put a link to, or a copy of, every matching picture into a folder.

    Pictures of one name get a number; what stands there already stays, so that a second run adds what is new.

    Returns:
        How many files were added.

    Raises:
        InputError: If the folder cannot be written.
    """
    try:
        make_folder(folder)
        return sum(_add(Path(match.path), folder, way) for match in matches)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be filled ({error.strerror or error}); choose a folder that can be written"
        ) from error


def _add(picture: Path, folder: Path, way: Way) -> bool:
    number = 1
    target = folder / picture.name
    while os.path.lexists(target):
        if _same(picture, target):
            return False
        number += 1
        target = folder / f"{picture.stem}-{number}{picture.suffix}"
    if way == "link":
        target.symlink_to(picture)
        return True
    unfinished = folder / f".{target.name}.unfinished"
    try:
        shutil.copy2(picture, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def _same(picture: Path, target: Path) -> bool:
    if target.is_symlink():
        return target.readlink() == picture
    return target.is_file() and filecmp.cmp(picture, target, shallow=False)
