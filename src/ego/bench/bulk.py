"""`ego bench bulk`: introducing many photos in this process, on one Ray worker, and on several.

Workers have loaded their model before the clock starts; what that takes is a figure of its own.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from ego.bench.growth import Growth, Point, Way
from ego.bench.subject import versions
from ego.bulk.introductions import Model, introduce_all
from ego.bulk.jobs import ThisProcess, Workers
from ego.bulk.manifest import ConceptLine
from ego.bulk.ray_workers import RayWorkers, ray_session
from ego.config import EgoConfig
from ego.demo.pictures import shipped_pictures
from ego.store import ConceptStore

HERE, ONE, AGAIN = "this process", "one Ray worker", "again, all of it done"
ALONE = "this process, photo by photo"
SIZES = (8, 32)
BATCH = 8  # photos that a worker gets, and describes, at once


def bench_bulk(
    model_id: str | None = None,
    *,
    device: str | None = None,
    workers: int = 2,
    sizes: Sequence[int] = SIZES,
    on_size: Callable[[int], None] = lambda size: None,
) -> Growth:
    """Measure; without Ray only this process.

    Args:
        model_id: A model; None for the embedded one.
        device: As for `load_backbone`.
        workers: Ray workers, of one core each.
        sizes: Numbers of photos, smallest first.
        on_size: Called before each size.
    """
    model = Model(model_id or "mini", device, EgoConfig())
    several = f"{workers} Ray workers"
    points, starts = [], dict[str, float]()
    with ExitStack() as stack:
        teams: dict[str, Workers] = {HERE: ThisProcess(model)}
        if find_spec("ray") is not None:
            ray = stack.enter_context(ray_session(workers=workers + 1))
            teams |= {ONE: RayWorkers(ray, model, 1), several: RayWorkers(ray, model, workers)}
        for name, team in teams.items():
            starts[f"seconds to make ready: {name}"] = _introduced(team, model, team.places * 2, batch=1)[0]
        for size in sizes:
            on_size(size)
            points.append(_point(teams, model, size))
    figures = starts | {"times faster than photo by photo": points[-1].seconds(ALONE) / points[-1].seconds(HERE)}
    if several in teams:
        figures[f"times faster than one Ray worker: {several}"] = points[-1].seconds(ONE) / points[-1].seconds(several)
    return Growth(
        bench="bulk",
        model=model.id,
        grows="photos",
        points=tuple(points),
        figures=figures,
        rounds=1,
        environment=versions(),
    )


def _point(teams: dict[str, Workers], model: Model, size: int) -> Point:
    measured = {name: _introduced(team, model, size) for name, team in teams.items()}
    measured[ALONE] = _introduced(teams[HERE], model, size, batch=1)
    ways = [Way(name=name, seconds=seconds, context_tokens=0) for name, (seconds, _, _) in measured.items()]
    ways.append(Way(name=AGAIN, seconds=measured[HERE][1], context_tokens=0))
    same = all(library == measured[HERE][2] for _, _, library in measured.values())
    return Point(size=size, ways=tuple(ways), same_answers=same)


def _introduced(
    workers: Workers, model: Model, count: int, batch: int = BATCH
) -> tuple[float, float, list[tuple[str, str, tuple[int, ...]]]]:
    """Introduce photos into a library of their own, then ask for the same again.

    Returns:
        Seconds of both, and what is decided of every memory: name, words, kept tokens.
    """
    photos, lines = shipped_pictures().folder, tuple(_lines(count))
    with tempfile.TemporaryDirectory(prefix="ego-bench-") as folder:
        store = ConceptStore(Path(folder) / "library")
        run = partial(introduce_all, lines, photos, model, workers, store, batch=batch)
        seconds = []
        for _ in range(2):
            started = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - started)
        library = [(one.name, one.views[0].description, one.views[0].kept) for one in store.load_all().memories]
    return seconds[0], seconds[1], library


def _lines(count: int) -> Iterator[ConceptLine]:
    photos = sorted(path.name for path in shipped_pictures().folder.glob("*.jpg"))
    for number in range(count):
        yield ConceptLine(name=f"thing {number}", images=(photos[number % len(photos)],))
