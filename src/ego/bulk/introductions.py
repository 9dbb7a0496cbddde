"""Introduce the concepts of a manifest: workers build memories, this process stores them in the manifest's order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ego.atomic_file import make_folder
from ego.backbones import load_backbone
from ego.backbones.loading import hide_progress
from ego.bulk.jobs import Job, Outcome, Work, Workers
from ego.bulk.journal import Journal
from ego.bulk.manifest import ConceptLine
from ego.bulk.run import BulkReport, Progress, run_bulk
from ego.concept import Concept, Region
from ego.config import EgoConfig
from ego.errors import EgoError, ImageError, UnknownConceptError
from ego.library.contract import Library
from ego.limits import SENT_BYTES
from ego.memory import ConceptMemory
from ego.personalizer import Ego
from ego.photo_files import in_either_form
from ego.regular_file import open_regular

JOURNAL = ".bulk-introductions"  # in the library


@dataclass(frozen=True)
class Model:
    """The model that every worker loads.

    Attributes:
        id: As for `load_backbone`.
        device: The same; None lets each worker choose.
        config: Numbers of the method.
    """

    id: str
    device: str | None
    config: EgoConfig

    def __call__(self) -> Work:
        """Load it and make ready to introduce."""
        hide_progress()
        personal = Ego(load_backbone(self.id, device=self.device), config=self.config)
        return lambda jobs: _built(personal, [job.payload for job in jobs])


def introduce_all(
    lines: Sequence[ConceptLine],
    folder: Path,
    model: Model,
    workers: Workers,
    store: Library,
    *,
    replaced: bool = False,
    batch: int = 8,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> BulkReport:
    """Introduce what is not introduced yet; a second call does nothing but look.

    Args:
        lines: The manifest.
        folder: What its paths are relative to.
        model: Must be the one that the workers load.
        workers: Who builds the memories.
        store: Where they go.
        replaced: Put them in the place of concepts of the same names.
        batch: Concepts that a worker gets at once.
        on_progress: Called as the work goes on.
    """

    def write(outcome: Outcome) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        store.add(replace(outcome.result, created=now), replace=replaced, stored_type=model.config.stored_type)

    names = {line.key(model.id): line.name for line in lines}
    make_folder(store.folder)
    return run_bulk(
        _jobs(lines, folder, model),
        workers,
        write,
        written=lambda job: _remembered(store, names[job.key]),
        journal=Journal(store.folder / JOURNAL),
        batch=batch,
        on_progress=on_progress,
    )


def _jobs(lines: Iterable[ConceptLine], folder: Path, model: Model) -> Iterator[Job]:
    """Read the photos here, when their turn comes: a worker may be on another machine."""
    for line in lines:
        yield Job(line.key(model.id), (line, tuple(_content(in_either_form(folder / image)) for image in line.images)))


def _content(path: Path) -> bytes | str:
    """Read a photo; one that cannot be read is the worker's to complain about."""
    try:
        with open_regular(path, largest=SENT_BYTES, refuse=ImageError) as file:
            return file.read()
    except (ImageError, OSError):
        return str(path)


def _built(personal: Ego, payloads: Sequence[Any]) -> list[ConceptMemory | EgoError]:
    """Build memories together; where one cannot be built, each by itself, so that no other fails with it."""
    try:
        memories: Sequence[ConceptMemory | EgoError] = personal.build_many([_concept(*one) for one in payloads])
    except EgoError as error:
        if len(payloads) == 1:
            return [error]
        memories = [built for one in payloads for built in _built(personal, [one])]
    return [one if isinstance(one, EgoError) else one.on(torch.device("cpu")) for one in memories]


def _concept(line: ConceptLine, images: Sequence[bytes | str]) -> Concept:
    regions = [None if box is None else Region(box=box) for box in line.boxes]
    return Concept(line.name, images, category=line.category, notes=line.notes, keywords=line.keywords, regions=regions)


def _remembered(store: Library, name: str) -> bool:
    try:
        store.get(name)
    except UnknownConceptError:
        return False
    return True
