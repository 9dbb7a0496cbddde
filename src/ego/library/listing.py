"""What the memories of a catalogue tell of themselves, from their headers alone: no rows, no torch."""

import zlib
from pathlib import Path

from ego.errors import EgoError
from ego.library.database import Database
from ego.memory_header import MemoryHeader, header_text, read_header
from ego.memory_listing import Listing


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
