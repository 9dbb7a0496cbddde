"""`ego bench filter`: finding the right concepts among many, beside exact search and other ways, as libraries grow.

Every way answers the same questions on the same rows: which concepts have the highest late interaction with a picture?
Seconds are of the processor, all threads together: engines that use every core are compared with those that use one.
"""

import platform
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float32, Int64

from ego.bench.filter_rivals import (
    Finder,
    Placed,
    exact,
    exact_in_torch,
    inverted_lists,
    lance,
    lance_is_there,
    pooled,
)
from ego.bench.generated_concepts import Statistics, statistics_of
from ego.bench.growth import Growth, Point, Way
from ego.library.filter.files import Opened
from ego.library.filter.index import FilterIndex, scored_themselves
from ego.library.filter.late_interaction import unit
from ego.library.filter.space import Space, fit_space

INDEX, EXACT, TORCH, POOLED = "filter index", "exact, numpy", "exact, torch", "pooled cosine"
LISTS, LANCE = "inverted lists, re-ranked", "LanceDB, re-ranked"
RIVALS = (TORCH, POOLED, LISTS, LANCE)  # those that can be left out
ROWS_EACH = 16
FOUND = 20  # concepts wanted of every question
_AXES = 128
_SEED = 1
_AT_ONCE = 8_192  # concepts
Result = TypeVar("Result")


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
        self._dim = statistics.means.shape[1]
        self.all = _written(folder / "rows.f16", statistics.generate(count, _SEED), count)
        self._count, self._gone, self._changed = count, set[int](), list[int]()

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
        return keys, np.full(len(keys), ROWS_EACH), self.all[keys].astype(np.float32).reshape(-1, self._dim)


def bench_filter(
    material: Material,
    sizes: Sequence[int],
    *,
    rounds: int = 5,
    without: Collection[str] = (),
    on_size: Callable[[int], None] = lambda size: None,
) -> Growth:
    """Measure.

    Args:
        material: What to generate from.
        sizes: Numbers of concepts, smallest first.
        rounds: Questions, each timed once.
        without: Ways to leave out; the index and exact search always run.
        on_size: Called before each size.
    """
    axes = fit_space(unit(material.rows), axes=_AXES)
    statistics = statistics_of(axes(material.rows), material.counts, ROWS_EACH)
    pictures = [axes(tokens) for tokens in material.pictures[:rounds]]
    points, figures = [], dict[str, float]()
    for size in sizes:
        on_size(size)
        with tempfile.TemporaryDirectory(prefix="ego-bench-") as folder:
            library = Generated(statistics, size, Path(folder))
            point, figures = _measure(library, size, pictures, Path(folder), without)
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
    library: Generated,
    size: int,
    pictures: Sequence[Float32[np.ndarray, "visual dim"]],
    folder: Path,
    without: Collection[str],
) -> tuple[Point, dict[str, float]]:
    index, files = FilterIndex(folder / "index", library), folder / "index"
    opened, wall, built = _timed(index.refresh)
    figures = {"CPU seconds to build the index": built, "seconds to build the index": wall}
    placed = _placed(library, opened.space, folder / "placed.f16")
    answers: dict[str, list[list[int]]] = {}
    seconds: dict[str, float] = {}
    for name, made in _finders(opened, placed, folder, without).items():
        finder, _, took = _timed(made)
        if name == LANCE:
            figures[f"CPU seconds to build {LANCE}"] = took
        run = [partial(_found, finder, opened.space, picture) for picture in pictures]
        answers[name], _, seconds[name] = _asked(run, warm=name not in (EXACT, TORCH))
    asked = [partial(_ask, index, picture) for picture in pictures]
    answers[INDEX], wall, seconds[INDEX] = _asked(asked, warm=True)
    hits = {name: _recall(found, answers[EXACT]) for name, found in answers.items()}
    figures |= {f"recall@{FOUND} of {name} against exact": value for name, value in hits.items()} | {
        "milliseconds by the clock, median question to the index": 1000 * wall,
        "CPU milliseconds, median question to the index": 1000 * seconds[INDEX],
        "MB of the index on the disk": sum(path.stat().st_size for path in files.rglob("*") if path.is_file()) / 1e6,
        **_changes(library, index, size),
    }
    ways = tuple(Way(name=name, seconds=seconds[name], context_tokens=0) for name in (INDEX, *_others(seconds)))
    return Point(size=size, ways=ways, same_answers=hits.get(TORCH, 1.0) == 1.0), figures


def _finders(opened: Opened, placed: Placed, folder: Path, without: Collection[str]) -> dict[str, Callable[[], Finder]]:
    reranked = scored_themselves(len(opened.starts))
    finders: dict[str, Callable[[], Finder]] = {
        EXACT: lambda: exact(placed),
        TORCH: lambda: exact_in_torch(placed),
        POOLED: lambda: pooled(placed),
        LISTS: lambda: inverted_lists(placed, np.array(opened.codes), opened.centroids, reranked),
        LANCE: lambda: lance(placed, folder / "lance", reranked),
    }
    left_out = {*without, *(() if lance_is_there() else (LANCE,))} - {EXACT}
    return {name: made for name, made in finders.items() if name not in left_out}


def _others(ways: Collection[str]) -> Iterator[str]:
    return (name for name in ways if name != INDEX)


def _found(finder: Finder, space: Space, picture: Float32[np.ndarray, "visual dim"]) -> list[int]:
    return [int(one) for one in finder(space(picture), FOUND)]


def _ask(index: FilterIndex, picture: Float32[np.ndarray, "visual dim"]) -> list[int]:
    return [found.key for found in index.nearest(picture, FOUND)]


def _asked(questions: Sequence[Callable[[], list[int]]], *, warm: bool) -> tuple[list[list[int]], float, float]:
    """Answer all questions: answers, and the median seconds by the clock and of the processor."""
    if warm:
        questions[0]()
    done = [_timed(question) for question in questions]
    answers = [found for found, _, _ in done]
    return answers, float(np.median([wall for _, wall, _ in done])), float(np.median([cpu for _, _, cpu in done]))


def _timed(run: Callable[[], Result]) -> tuple[Result, float, float]:
    """Run, and say the seconds by the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def _recall(found: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> float:
    shares = [len(set(one) & set(other)) / len(other) for one, other in zip(found, right, strict=True)]
    return float(np.mean(shares))


def _placed(library: Generated, space: Space, path: Path) -> Placed:
    """Bring all rows into the space of the index, for the ways that score them as they are."""
    count, each, dim = library.all.shape

    def blocks() -> Iterator[Float32[np.ndarray, "concept row axis"]]:
        for first in range(0, count, _AT_ONCE):
            block = library.all[first : first + _AT_ONCE].astype(np.float32)
            yield space(block.reshape(-1, dim)).reshape(len(block), each, -1)

    return _written(path, blocks(), count)


def _written(path: Path, blocks: Iterator[Float32[np.ndarray, "concept row dim"]], count: int) -> Placed:
    """Write rows to the disk, half as wide, and map them."""
    with path.open("wb") as file:
        for block in blocks:
            file.write(block.astype(np.float16).tobytes())
    return np.memmap(path, np.float16, "r").reshape(count, ROWS_EACH, -1)


def _changes(library: Generated, index: FilterIndex, size: int) -> dict[str, float]:
    """Seconds to take one concept out and to put it back, as the index is told by its library."""
    seconds = []
    for _ in range(2):
        library.change(size // 2)
        started = time.perf_counter()
        index.refresh()
        seconds.append(time.perf_counter() - started)
    return {"milliseconds to remove one": 1000 * seconds[0], "milliseconds to add one": 1000 * seconds[1]}
