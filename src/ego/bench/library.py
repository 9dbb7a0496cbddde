"""`ego bench library`: opening, asking and changing libraries as they grow: a folder, a catalogue, many small folders.

A library is opened anew each time, as by a program that has just been started. A question brings the concepts most like
a picture; the picture holds the rows of one concept, which must come first.
"""

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from ego.bench.growth import Growth, Point, Way
from ego.bench.measure import answers_and_seconds, megabytes_read, seconds_in_turns
from ego.bench.stored_memories import DIM, FINGERPRINT, ROWS, stored_memories
from ego.library.catalogue import Catalogue
from ego.library.contract import Library
from ego.library.owners import Owners
from ego.memory_file import dump
from ego.memory_listing import SUFFIX, memory_files
from ego.store import ConceptStore

OPEN, READ_ALL = "folder: open", "folder: open by reading everything"
PACKED_OPEN, OWNER_OPEN = "catalogue: open", "one owner of many: open"
ASK, PACKED_ASK = "folder: question", "catalogue: question"
CHANGE, PACKED_CHANGE = "folder: add and remove one", "catalogue: add and remove one"
FIRST, PACKED_FIRST = "folder: first question, builds the index", "catalogue: first question, builds the index"
TAKE_IN, GIVE_OUT = "catalogue: import of all", "catalogue: export of all"
SIZES = (100, 1_000, 10_000)
PER_OWNER = 10  # concepts of each owner's library
_FOUND = 8
_VISUAL = 144  # tokens of the picture


@dataclass(frozen=True)
class _Places:
    """Where one size's libraries are."""

    folder: Path
    catalogue: Path
    owners: Path
    exported: Path


def bench_library(
    sizes: Sequence[int] = SIZES, *, rounds: int = 3, on_size: Callable[[int], None] = lambda size: None
) -> Growth:
    """Measure.

    Args:
        sizes: Numbers of concepts, smallest first.
        rounds: Timed turns of what can be repeated; the rest is timed once.
        on_size: Called before each size.
    """
    points, figures = [], dict[str, float]()
    for size in sizes:
        on_size(size)
        with tempfile.TemporaryDirectory(prefix="ego-bench-") as root:
            places = _Places(*(Path(root) / name for name in ("folder", "catalogue", "owners", "exported")))
            point, figures = _measure(size, places, rounds)
        points.append(point)
    return Growth(
        bench="library",
        model=f"random memories, {ROWS} rows of {DIM} a concept",
        grows="concepts",
        points=tuple(points),
        figures=figures,
        rounds=rounds,
        environment={"torch": torch.__version__, "machine": platform.machine(), "python": platform.python_version()},
    )


def _measure(size: int, places: _Places, rounds: int) -> tuple[Point, dict[str, float]]:
    wanted, picture = _write(size, places)
    once = {TAKE_IN: _seconds(lambda: Catalogue(places.catalogue).import_all(sorted(memory_files(places.folder))))}
    once[GIVE_OUT] = _seconds(lambda: Catalogue(places.catalogue).export_all(places.exported))
    folder, catalogue = ConceptStore(places.folder), Catalogue(places.catalogue)
    once |= {FIRST: _seconds(lambda: _ask(folder, picture)), PACKED_FIRST: _seconds(lambda: _ask(catalogue, picture))}
    answers, seconds = answers_and_seconds(
        {ASK: lambda: _ask(folder, picture), PACKED_ASK: lambda: _ask(catalogue, picture)}, rounds
    )
    read = {name: megabytes_read(partial(_ask, one, picture)) for name, one in _both(folder, catalogue)}
    seconds |= seconds_in_turns(_openings(places), rounds)
    seconds |= seconds_in_turns({CHANGE: lambda: _change(folder), PACKED_CHANGE: lambda: _change(catalogue)}, rounds)
    ways = tuple(Way(name=name, seconds=taken, context_tokens=0) for name, taken in (seconds | once).items())
    same = all(names[0] == wanted for names in answers.values())
    return Point(size=size, ways=ways, same_answers=same), _figures(size, places, seconds, read)


def _figures(size: int, places: _Places, seconds: dict[str, float], read: dict[str, float | None]) -> dict[str, float]:
    figures = {
        "times faster to open the folder than to read everything": seconds[READ_ALL] / seconds[OPEN],
        "kB of a concept in the folder": _bytes(memory_files(places.folder)) / size / 1e3,
        "kB of a concept in the catalogue": _bytes(places.catalogue.glob("catalogue.sqlite*")) / size / 1e3,
    }
    return figures | {
        f"MB read from files by a question to the {name}": mb for name, mb in read.items() if mb is not None
    }


def _both(folder: Library, catalogue: Library) -> tuple[tuple[str, Library], ...]:
    return ("folder", folder), ("catalogue", catalogue)


def _write(size: int, places: _Places) -> tuple[str, torch.Tensor]:
    """Write the folder and the owners' folders; name the concept that is asked for, and give a picture of it."""
    places.folder.mkdir()
    wanted, picture = "", torch.empty(0)
    for number, memory in enumerate(stored_memories(size)):
        path = places.folder / f"{number:032x}{SUFFIX}"
        path.write_bytes(dump(memory))
        if number % PER_OWNER == 0:
            own = Owners(places.owners).library(f"owner {number // PER_OWNER}").folder
            own.mkdir(parents=True)
        os.link(path, own / path.name)
        if number == size // 2:
            background = torch.randn(_VISUAL - ROWS, DIM, generator=torch.Generator().manual_seed(1))
            wanted, picture = memory.name, torch.cat([memory.tokens.rows.float(), background])
    return wanted, picture


def _openings(places: _Places) -> dict[str, Callable[[], object]]:
    return {
        OPEN: lambda: ConceptStore(places.folder).count(FINGERPRINT),
        READ_ALL: lambda: len(ConceptStore(places.folder).load_all().memories),
        PACKED_OPEN: lambda: Catalogue(places.catalogue).count(FINGERPRINT),
        OWNER_OPEN: lambda: Owners(places.owners).library("owner 0").count(FINGERPRINT),
    }


def _ask(library: Library, picture: torch.Tensor) -> list[str]:
    return [memory.name for memory in library.nearest(picture, FINGERPRINT, _FOUND)]


def _change(library: Library) -> None:
    (memory,) = stored_memories(1, seed=2)
    library.add(memory.renamed("one more"))
    library.remove("one more")


def _bytes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
