"""A path -> a usable one, or an open regular file of bounded size, or an error in the words of the caller.

A path is always a file, whatever it looks like: names with colons are names. Pipes and devices are never opened: they
would wait for ever, or never end.
"""

import os
import re
import stat
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from ego.errors import EgoError, InputError

_ADDRESS = re.compile(r"(https?|ftp|file|data|s3|rtsp):/", re.IGNORECASE)  # a Path folds the second slash
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def possible_path(path: str | PathLike[str]) -> Path:
    """Make a Path of what a caller names; nothing is looked up.

    Raises:
        InputError: If it holds a NUL, which no system takes.
    """
    if "\0" in os.fspath(path):
        raise InputError(f"the path {os.fspath(path)!r} holds a NUL character, which no file name does; write it anew")
    return Path(path)


def open_regular(path: str | PathLike[str], *, largest: int, refuse: Callable[[str], EgoError]) -> BinaryIO:
    """Open a file for reading.

    Args:
        path: The file.
        largest: Most bytes it may have.
        refuse: Makes the error of a message, for example `ImageError`.

    Raises:
        EgoError: What `refuse` made: the file is missing, empty, too large, unreadable, or not a regular file.
    """
    label = os.fspath(path)
    try:
        _require_usable(os.stat(path), label, largest, refuse)  # noqa: PTH116  (a Path would fold "a//b")
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError as error:
        raise refuse(_missing(label)) from error
    except (OSError, ValueError) as error:
        raise refuse(f"{label} cannot be opened ({getattr(error, 'strerror', None) or error}); check it") from error
    file = os.fdopen(descriptor, "rb")
    try:
        _require_usable(os.fstat(descriptor), label, largest, refuse)  # it may have been replaced meanwhile
    except EgoError:
        file.close()
        raise
    return file


def _missing(label: str) -> str:
    if _ADDRESS.match(label):
        return f"{label} is an address, not a file; download it first"
    return f"there is no file at {label}; check the path"


def _require_usable(status: os.stat_result, label: str, largest: int, refuse: Callable[[str], EgoError]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise refuse(f"{label} is a folder; give the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise refuse(f"{label} is not a regular file but a device or a pipe; copy its content into a file first")
    if status.st_size == 0:
        raise refuse(f"{label} is empty (0 bytes); copy or download it again")
    if status.st_size > largest:
        raise refuse(f"{label} has {status.st_size:,} bytes; at most {largest:,} are read")
