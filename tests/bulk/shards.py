"""Shards of a small library of vectors, importable by worker processes."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ego.library.filter.index import FilterIndex
from ego.library.filter.space import Space
from tests.library.filter.concepts import DIM, vectors

SPACE = Space(np.zeros(DIM, np.float32), np.eye(DIM, dtype=np.float32))


@dataclass(frozen=True)
class Shard:
    """Every `of`-th concept; its process is killed once if `deadly`."""

    folder: Path
    number: int
    of: int
    deadly: bool = False

    def __call__(self) -> FilterIndex:
        mark = self.folder / "killed"
        if self.deadly and not mark.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        library = vectors(40)
        for key in list(library.concepts):
            if key % self.of != self.number:
                library.remove(key)
        return FilterIndex(self.folder / str(self.number), library, space=SPACE)
