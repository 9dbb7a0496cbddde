"""Write a file in one step: after a kill or a power cut there is the old file or the new one, never half of one.

A new file can be read by its owner only; one that is replaced keeps its mode. Only regular files are ever replaced.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeAlias

from ego.errors import InputError

_UNFINISHED = ".unfinished"  # suffix of a file that is being written
OWN_FILE = 0o600
OWN_FOLDER = 0o700
Content: TypeAlias = bytes | Callable[[IO[bytes]], None]
"""What a file is to hold, or who writes it; a writer may be asked twice, each time for a new file."""


class NotReplacedError(OSError):
    """There is something else than a regular file in the place of the file that is to be written."""


def write_file(path: Path, content: Content) -> None:
    """Write a file without a name (where the system can), flush it to disk, then give it its name.

    Raises:
        NotReplacedError: If a link, a device or another thing that is no regular file is there.
        OSError: If it cannot be written; a file that was there is still there.
    """
    mode = _mode_of(path)
    unfinished = path.with_name(f".{secrets.token_hex(8)}{_UNFINISHED}")
    try:
        if mode is not None or not _write_nameless(path, content, OWN_FILE):
            mode = OWN_FILE if mode is None else mode
            if not _write_nameless(unfinished, content, mode):
                _write_named(unfinished, content, mode)
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    flush_folder(path.parent)


def require_new(path: Path, *, replace: bool) -> None:
    """Refuse to write where something is already.

    Raises:
        InputError: If a file is there that is not to be replaced, or a folder.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file")
    if os.path.lexists(path) and not replace:
        raise InputError(f"{path} exists already; give another file name, or ask to replace it (--replace)")


def write_new(path: Path, content: Content, *, replace: bool) -> None:
    """Write a file that the user named, as `write_file` does.

    Raises:
        InputError: If something is there that is not to be replaced, or is no regular file.
        OSError: If it cannot be written.
    """
    require_new(path, replace=replace)
    try:
        write_file(path, content)
    except NotReplacedError as error:
        raise InputError(f"{path} is not replaced: {error.strerror}; give another file name") from error


def remove_file(path: Path) -> None:
    """Remove a file, so that it stays removed."""
    path.unlink()
    flush_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, for their owner only and so that they stay; one that is there keeps its mode.

    Raises:
        OSError: If it cannot be made, or is a file.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    folder.mkdir(mode=OWN_FOLDER, exist_ok=True)
    flush_folder(folder.parent)


def clear_unfinished(folder: Path) -> None:
    """Remove what killed writers left in a folder; only while nobody else writes there."""
    for leftover in folder.glob(f".*{_UNFINISHED}"):
        with suppress(FileNotFoundError):
            if stat.S_ISREG(leftover.lstat().st_mode):
                leftover.unlink()


def flush_folder(folder: Path) -> None:
    """Make what was named, renamed or removed in a folder last, where systems need to be asked."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows: folders cannot be opened, and renames are durable by themselves
        return
    with suppress(PermissionError), _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as handle:
        os.fsync(handle)


def _mode_of(path: Path) -> int | None:
    """Give the mode of the file that is to be replaced; None if there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise NotReplacedError(errno.EINVAL, f"it is {_kind(status.st_mode)} and no regular file")
    return stat.S_IMODE(status.st_mode)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a directory", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _write_nameless(path: Path, content: Content, mode: int) -> bool:
    """Write a new file that has no name before it is complete: a kill leaves nothing. False where that cannot be."""
    if not (hasattr(os, "O_TMPFILE") and hasattr(os, "O_DIRECTORY")):
        return False
    try:
        handle = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, mode)
    except OSError:  # a file system without it; if the folder itself is at fault, the next way says so
        return False
    with os.fdopen(handle, "wb") as file, _opened(path.parent, os.O_RDONLY | os.O_DIRECTORY) as folder:
        _fill(file.fileno(), content, mode)
        try:  # the folder's handle makes Python call linkat, which can follow the link in /proc
            os.link(f"/proc/self/fd/{file.fileno()}", path.name, dst_dir_fd=folder, follow_symlinks=True)
        except OSError:  # no /proc, or somebody made a file of that name meanwhile
            return False
    return True


def _write_named(unfinished: Path, content: Content, mode: int) -> None:
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), OWN_FILE)
    with os.fdopen(handle, "wb") as file:
        _fill(file.fileno(), content, mode)


def _fill(handle: int, content: Content, mode: int) -> None:
    with os.fdopen(os.dup(handle), "wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            content(file)
    if hasattr(os, "fchmod"):
        os.fchmod(handle, mode)  # whatever the umask is
    os.fsync(handle)


@contextmanager
def _opened(folder: Path, flags: int) -> Iterator[int]:
    handle = os.open(folder, flags)
    try:
        yield handle
    finally:
        os.close(handle)
