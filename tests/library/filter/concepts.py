"""A library of vectors for tests of the filter: concepts that can be added, changed and removed."""

import numpy as np

DIM = 8


class Vectors:
    """Concepts by key, each with a few rows."""

    def __init__(self) -> None:
        self.concepts: dict[int, np.ndarray] = {}
        self.history: list[int] = []
        self.tells = False  # what has changed
        self.read = 0  # concepts handed out

    def add(self, key: int, seed: int | None = None) -> None:
        generator = np.random.default_rng(key if seed is None else seed)
        shape = (1 + int(generator.integers(1, 5)), DIM)
        self.concepts[key] = generator.standard_normal(shape).astype(np.float32)
        self.history.append(key)

    def remove(self, key: int) -> None:
        del self.concepts[key]
        self.history.append(key)

    def revision(self) -> str:
        return str(len(self.history))

    def changes(self, since: str) -> tuple[np.ndarray, np.ndarray] | None:
        if not self.tells:
            return None
        touched = set(self.history[int(since) :])
        there = sorted(touched & self.concepts.keys())
        return np.array(there, np.int64), np.array(sorted(touched - self.concepts.keys()), np.int64)

    def keys(self) -> np.ndarray:
        return np.array(sorted(self.concepts), np.int64)

    def rows(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        there = [int(key) for key in keys if int(key) in self.concepts]
        self.read += len(there)
        rows = [self.concepts[key] for key in there]
        counts = np.array([len(one) for one in rows], np.int64)
        return np.array(there, np.int64), counts, np.concatenate([np.empty((0, DIM), np.float32), *rows])


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(1000 + seed).standard_normal((6, DIM)).astype(np.float32)


def vectors(count: int) -> Vectors:
    library = Vectors()
    for key in range(count):
        library.add(key)
    return library
