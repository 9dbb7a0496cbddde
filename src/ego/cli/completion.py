"""What the shell may offer: names of remembered concepts, read from the headers of their files."""

import os
from collections.abc import Iterator
from pathlib import Path

from ego.errors import EgoError


def concept_names(incomplete: str) -> Iterator[str]:
    """Offer the names that begin as typed, whatever their case; nothing if the library cannot be read."""
    from ego.cli.settings import resolve
    from ego.memory_listing import list_memories

    named = os.environ.get("EGO_LIBRARY")  # the shell completes before options are read
    try:
        library = resolve(library=Path(named) if named else None).library
        names = [story.name for story in list_memories(library).stories]
    except (EgoError, OSError):
        return
    yield from (name for name in names if name.casefold().startswith(incomplete.casefold()))
