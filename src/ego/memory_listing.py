"""What the memories of a folder tell of themselves, read from their headers alone: no rows, no torch.

Whether the rows behind a header are whole is found out when the memory is used.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from ego.concept import name_key
from ego.errors import EgoError, InputError
from ego.limits import MEMORY_BYTES, MEMORY_HEADER_BYTES
from ego.memory_header import LENGTH_BYTES, MemoryHeader, header_text, read_header, require_version
from ego.regular_file import open_regular

SUFFIX = ".ego"


@runtime_checkable
class Named(Protocol):
    """What has a name and was introduced at some time."""

    @property
    def name(self) -> str:
        """The user's name for it."""
        ...

    @property
    def created(self) -> str:
        """Time, ISO 8601."""
        ...


Kind = TypeVar("Kind", bound=Named)


@dataclass(frozen=True)
class Listing:
    """The memories of a folder.

    Attributes:
        stories: By time of introduction, then by name.
        skipped: Files that cannot be used, and why.
    """

    stories: tuple[MemoryHeader, ...]
    skipped: dict[Path, str]


def list_memories(folder: Path) -> Listing:
    """Read the header of every memory of a folder.

    Raises:
        OSError: If the folder cannot be read.
    """
    read: dict[Path, MemoryHeader] = {}
    skipped: dict[Path, str] = {}
    for path in memory_files(folder):
        try:
            read[path] = _story(path)
        except EgoError as error:
            if os.path.lexists(path):  # else removed by another process since it was listed
                skipped[path] = str(error)
    chosen, skipped = one_of_each_name(read, skipped)
    return Listing(tuple(chosen.values()), skipped)


def memory_files(folder: Path) -> list[Path]:
    """List the memory files of a folder; none if there is no folder.

    Raises:
        OSError: If the folder cannot be read.
    """
    if not folder.exists():
        return []
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    return [path for path in visible if path.name.endswith(SUFFIX) and path.is_file()]


def one_of_each_name(
    read: Mapping[Path, Kind], skipped: Mapping[Path, str]
) -> tuple[dict[Path, Kind], dict[Path, str]]:
    """Bring memories into stable order; of two with one name, which only copied files can be, the first counts."""
    chosen: dict[str, Path] = {}
    unused = dict(skipped)
    for path in sorted(read, key=lambda path: (_time(read[path].created), read[path].name, path)):
        first = chosen.setdefault(name_key(read[path].name), path)
        if first != path:
            unused[path] = f"a second memory of {read[path].name!r}, the first is {first.name}; delete one of them"
    return {path: read[path] for path in chosen.values()}, unused


def names_of(stories: Iterable[Named]) -> list[str]:
    """List names, in order."""
    return [story.name for story in stories]


def _time(created: str) -> datetime:
    try:
        return datetime.fromisoformat(created).astimezone()
    except ValueError:  # the memory itself will say so when it is used
        return datetime.fromtimestamp(0).astimezone()


def _story(path: Path) -> MemoryHeader:
    with open_regular(path, largest=MEMORY_BYTES, refuse=InputError) as file:
        blob = file.read(LENGTH_BYTES)
        blob += file.read(min(int.from_bytes(blob, "little"), MEMORY_HEADER_BYTES))
    text = header_text(blob, str(path))
    require_version(text, str(path))
    return read_header(text, str(path))
