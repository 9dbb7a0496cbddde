"""The words of bulk work: a job, what came of it, and who does it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ego.errors import EgoError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Attributes:
        key: Tells it from all others, in every run; what was written is remembered by it.
        payload: What the worker needs; it can be pickled.
    """

    key: str
    payload: Any


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        job: The job.
        result: What the worker gave.
        error: Why there is no result; empty if there is one.
    """

    job: Job
    result: Any = None
    error: str = ""


Work: TypeAlias = Callable[[Sequence[Job]], Sequence[Any]]
"""Does a batch: one result per job, in order; a job that cannot be done gets its EgoError as the result."""

WorkFactory: TypeAlias = Callable[[], Work]
"""Makes a worker ready, model and all; it can be pickled, and runs once where the worker is."""


@dataclass(frozen=True)
class Batch:
    """Jobs that one worker does together.

    Attributes:
        number: Place in the order of the work.
        jobs: The jobs.
        attempt: How often it was begun before.
    """

    number: int
    jobs: tuple[Job, ...]
    attempt: int = 0


@dataclass(frozen=True)
class Finished:
    """A batch that came back.

    Attributes:
        batch: The batch.
        outcomes: One per job; None when its worker was lost, and nobody knows what came of it.
        reason: Why the worker was lost.
    """

    batch: Batch
    outcomes: tuple[Outcome, ...] | None
    reason: str = ""


@runtime_checkable
class Workers(Protocol):
    """Who does the batches: this process, or actors on many machines."""

    @property
    def places(self) -> int:
        """How many batches may be under way."""
        ...

    def submit(self, batch: Batch) -> None:
        """Hand a batch out."""
        ...

    def finished(self) -> Finished:
        """Wait for a batch that was handed out."""
        ...


class ThisProcess:
    """Does every batch here and now.

    Args:
        factory: Makes the worker; it is made with the first batch.
    """

    places = 1

    def __init__(self, factory: WorkFactory) -> None:
        self._factory = factory
        self._work: Work | None = None
        self._waiting: list[Batch] = []

    def submit(self, batch: Batch) -> None:
        """Keep the batch until it is asked for."""
        self._waiting.append(batch)

    def finished(self) -> Finished:
        """Do the batch that waits longest."""
        self._work = self._work or self._factory()
        batch = self._waiting.pop(0)
        return Finished(batch, done(self._work, batch))


def done(work: Work, batch: Batch) -> tuple[Outcome, ...]:
    """Do a batch and sort results from errors."""
    results = work(batch.jobs)
    return tuple(
        Outcome(job, error=f"{type(result).__name__}: {result}")
        if isinstance(result, EgoError)
        else Outcome(job, result)
        for job, result in zip(batch.jobs, results, strict=True)
    )
