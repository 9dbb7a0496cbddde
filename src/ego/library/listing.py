"""What the memories of a library tell of themselves, from their headers alone: no rows, no torch."""

import zlib
from pathlib import Path

from ego.errors import EgoError, StoreError
from ego.library.database import FILE, Database
from ego.memory_header import MemoryHeader, header_text, read_header
from ego.memory_listing import Listing, list_memories


def list_library(folder: Path) -> Listing:
    """Read the header of every memory of a library, be it a folder of files or a catalogue.

    Raises:
        StoreError: If it cannot be read.
    """
    if (folder / FILE).exists():
        return list_catalogue(folder)
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file; give a folder for the memories")
    try:
        return list_memories(folder)
    except OSError as error:
        raise StoreError(f"{folder} cannot be read ({error.strerror or error}); check permissions") from error


def list_catalogue(folder: Path) -> Listing:
    """Read the header of every memory, in stable order; one that is damaged is named instead.

    Raises:
        StoreError: If the file cannot be read.
    """
    stories: list[MemoryHeader] = []
    skipped: dict[Path, str] = {}
    for name, blob in Database(folder).rows("SELECT name, memory FROM concepts ORDER BY created, name"):
        label = f"the memory of {name!r}"
        try:
            stories.append(read_header(header_text(zlib.decompress(blob), label), label))
        except (EgoError, zlib.error) as error:
            skipped[folder / name] = str(error)
    return Listing(tuple(stories), skipped)
