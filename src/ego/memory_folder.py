"""The memory files of one folder: listed, loaded, and kept in memory for as long as they do not change on disk."""

import os
from pathlib import Path
from typing import TypeAlias

from ego.errors import EgoError
from ego.memory import ConceptMemory
from ego.memory_file import load
from ego.memory_listing import memory_files, one_of_each_name

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
        for path in memory_files(self._folder):
            try:
                loaded[path] = self._load(path)
            except (EgoError, OSError) as error:
                if os.path.lexists(path):  # else removed by another process since it was listed
                    skipped[path] = str(error)
        self._loaded = loaded
        return one_of_each_name({path: memory for path, (_, memory) in loaded.items()}, skipped)

    def _load(self, path: Path) -> tuple[_Stamp, ConceptMemory]:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        known = self._loaded.get(path)
        return known if known and known[0] == stamp else (stamp, load(path))
