"""The memory files of one folder: listed, loaded, and kept in memory for as long as they do not change on disk."""

import os
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from ego.concept import name_key
from ego.errors import EgoError
from ego.memory import ConceptMemory
from ego.memory_file import SUFFIX, load

_Stamp: TypeAlias = tuple[int, ...]


class MemoryFolder:
    """Reads a folder again and again; a file that has not changed gives the same object every time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[Path, tuple[_Stamp, ConceptMemory]] = {}

    def scan(self) -> tuple[dict[Path, ConceptMemory], dict[Path, str]]:
        """Load every file: usable memories in stable order, and why the others are not.

        Raises:
            OSError: If the folder cannot be read.
        """
        loaded: dict[Path, tuple[_Stamp, ConceptMemory]] = {}
        skipped: dict[Path, str] = {}
        for path in self._files():
            try:
                loaded[path] = self._load(path)
            except (EgoError, OSError) as error:
                if os.path.lexists(path):  # else removed by another process since it was listed
                    skipped[path] = str(error)
        self._loaded = loaded
        return _one_of_each_name({path: memory for path, (_, memory) in loaded.items()}, skipped)

    def _files(self) -> list[Path]:
        if not self._folder.exists():
            return []
        visible = (path for path in self._folder.iterdir() if not path.name.startswith("."))
        return [path for path in visible if path.name.endswith(SUFFIX) and path.is_file()]

    def _load(self, path: Path) -> tuple[_Stamp, ConceptMemory]:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        known = self._loaded.get(path)
        return known if known and known[0] == stamp else (stamp, load(path))


def _one_of_each_name(
    loaded: dict[Path, ConceptMemory], skipped: dict[Path, str]
) -> tuple[dict[Path, ConceptMemory], dict[Path, str]]:
    """Bring memories into stable order; of two with one name, which only copied files can be, the first counts."""
    chosen: dict[str, Path] = {}
    order = {path: (datetime.fromisoformat(memory.created), memory.name, path) for path, memory in loaded.items()}
    for path in sorted(loaded, key=order.__getitem__):
        first = chosen.setdefault(name_key(loaded[path].name), path)
        if first != path:
            skipped[path] = f"a second memory of {loaded[path].name!r}, the first is {first.name}; delete one of them"
    return {path: loaded[path] for path in chosen.values()}, skipped
