"""`ego bench filter`: finding the right concepts among many, beside exact search and other ways, as libraries grow.

Every way answers the same questions on the same rows: which concepts have the highest late interaction with a picture?
"""

import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from ego.bench.filter_rivals import pooled, scored_in_torch
from ego.bench.generated_concepts import Statistics, statistics_of
from ego.bench.growth import Growth, Point, Way
from ego.bench.measure import answers_and_seconds
from ego.library.filter.index import FilterIndex
from ego.library.filter.late_interaction import best_first, late_interaction, unit
from ego.library.filter.space import fit_space

INDEX, EXACT, TORCH, POOLED = "filter index", "exact, numpy", "exact, torch", "pooled cosine"
ROWS_EACH = 16
FOUND = 20  # concepts wanted of every question
_AXES = 128
_SEED = 1


@dataclass(frozen=True, eq=False)
class Material:
    """Real rows to generate from, and real pictures to ask with.

    Attributes:
        rows: Of real memories.
        counts: Rows of each.
        pictures: Tokens of each picture.
        name: Where they come from.
    """

    rows: Float32[np.ndarray, "row dim"]
    counts: Int64[np.ndarray, " concept"]
    pictures: tuple[Float32[np.ndarray, "visual dim"], ...]
    name: str


class Generated:
    """Generated concepts on the disk, as a library."""

    def __init__(self, statistics: Statistics, count: int, folder: Path) -> None:
        self._path, self._dim = folder / "rows.f32", statistics.means.shape[1]
        with self._path.open("wb") as file:
            for block in statistics.generate(count, _SEED):
                file.write(block.tobytes())
        self._count, self._gone, self._changed = count, set[int](), list[int]()
        self.all = np.memmap(self._path, np.float32, "r").reshape(count, ROWS_EACH, self._dim)

    def change(self, key: int) -> None:
        """Take a concept out, or put it back."""
        self._gone ^= {key}
        self._changed.append(key)

    def revision(self) -> str:
        """Name the present state."""
        return str(len(self._changed))

    def keys(self) -> Int64[np.ndarray, " concept"]:
        """List the keys of all concepts."""
        return np.setdiff1d(np.arange(self._count), np.array(list(self._gone), np.int64))

    def changes(self, since: str) -> tuple[Int64[np.ndarray, " there"], Int64[np.ndarray, " gone"]]:
        """List what has come and gone."""
        touched = set(self._changed[int(since) :])
        return np.array(sorted(touched - self._gone), np.int64), np.array(sorted(touched & self._gone), np.int64)

    def rows(
        self, keys: Int64[np.ndarray, " key"]
    ) -> tuple[Int64[np.ndarray, " found"], Int64[np.ndarray, " found"], Float32[np.ndarray, "row dim"]]:
        """Read concepts."""
        keys = np.sort(keys)
        return keys, np.full(len(keys), ROWS_EACH), np.array(self.all[keys]).reshape(-1, self._dim)


def bench_filter(
    material: Material, sizes: Sequence[int], *, rounds: int = 5, on_size: Callable[[int], None] = lambda size: None
) -> Growth:
    """Measure.

    Args:
        material: What to generate from.
        sizes: Numbers of concepts, smallest first.
        rounds: Questions, each timed once.
        on_size: Called before each size.
    """
    axes = fit_space(unit(material.rows), axes=_AXES)
    statistics = statistics_of(axes(material.rows), material.counts, ROWS_EACH)
    pictures = [axes(tokens) for tokens in material.pictures[:rounds]]
    points, figures = [], dict[str, float]()
    for size in sizes:
        on_size(size)
        with tempfile.TemporaryDirectory(prefix="ego-bench-") as folder:
            point, figures = _measure(Generated(statistics, size, Path(folder)), size, pictures, Path(folder) / "index")
        points.append(point)
    return Growth(
        bench="filter",
        model=f"{ROWS_EACH} rows of {_AXES} axes a concept, generated from {material.name}",
        grows="concepts",
        points=tuple(points),
        figures=figures,
        rounds=rounds,
        environment={"numpy": np.__version__, "machine": platform.machine(), "python": platform.python_version()},
    )


def _measure(
    library: Generated, size: int, pictures: Sequence[Float32[np.ndarray, "visual dim"]], folder: Path
) -> tuple[Point, dict[str, float]]:
    index = FilterIndex(folder, library)
    started = time.process_time()
    opened = index.refresh()
    built = time.process_time() - started
    placed = opened.space(np.array(library.all).reshape(-1, library.all.shape[2]))
    counts = np.full(size, ROWS_EACH)
    ways: dict[str, Callable[[Float32[np.ndarray, "visual dim"]], Sequence[int]]] = {
        INDEX: lambda picture: [found.key for found in index.nearest(picture, FOUND)],
        EXACT: lambda picture: best_first(late_interaction(placed, counts, opened.space(picture)), FOUND).tolist(),
        TORCH: lambda picture: best_first(scored_in_torch(placed, ROWS_EACH, opened.space(picture)), FOUND).tolist(),
        POOLED: lambda picture: best_first(pooled(placed, ROWS_EACH, opened.space(picture)), FOUND).tolist(),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    hits: dict[str, list[float]] = {name: [] for name in ways}
    for picture in pictures:
        answers, took = answers_and_seconds({name: partial(way, picture) for name, way in ways.items()}, 1)
        for name in ways:
            seconds[name].append(took[name])
            hits[name].append(len(set(answers[name]) & set(answers[EXACT])) / FOUND)
    figures = {f"recall@{FOUND} of {name} against exact": float(np.mean(values)) for name, values in hits.items()}
    figures |= {
        "milliseconds, median question to the index": 1000 * float(np.median(seconds[INDEX])),
        "CPU seconds to build the index": built,
        "MB of the index on the disk": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6,
        **_changes(library, index, size),
    }
    found = tuple(
        Way(name=name, seconds=float(np.median(values)), context_tokens=0) for name, values in seconds.items()
    )
    same = figures[f"recall@{FOUND} of {TORCH} against exact"] == 1.0
    return Point(size=size, ways=found, same_answers=same), figures


def _changes(library: Generated, index: FilterIndex, size: int) -> dict[str, float]:
    """Seconds to take one concept out and to put it back, as the index is told by its library."""
    seconds = []
    for _ in range(2):
        library.change(size // 2)
        started = time.perf_counter()
        index.refresh()
        seconds.append(time.perf_counter() - started)
    return {"milliseconds to remove one": 1000 * seconds[0], "milliseconds to add one": 1000 * seconds[1]}
