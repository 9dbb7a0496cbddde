"""Write a file in one step: after a kill or a power cut there is the old file or the new one, never half of one."""

import os
import secrets
from pathlib import Path

_UNFINISHED = ".unfinished"  # suffix of a file that is being written


def write_file(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, then rename over.

    Raises:
        OSError: If it cannot be written; a file that was there is still there.
    """
    unfinished = path.with_name(f".{secrets.token_hex(8)}{_UNFINISHED}")
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _flush_folder(path.parent)


def remove_file(path: Path) -> None:
    """Remove a file, so that it stays removed."""
    path.unlink()
    _flush_folder(path.parent)


def clear_unfinished(folder: Path) -> None:
    """Remove what killed writers left in a folder; only while nobody else writes there."""
    for leftover in folder.glob(f".*{_UNFINISHED}"):
        leftover.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows: folders cannot be opened, and renames are durable by themselves
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
