"""Jobs in, written results out: in the order of the jobs, each once, whatever happens to workers or to this process.

    run_bulk(jobs, ThisProcess(factory), write, written=written, journal=Journal(path))

All results are written by this process. A worker that is lost costs the time of its batch: the jobs are handed out
again, one by one, and a job that keeps losing its worker is given up with that as its error.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from ego.bulk.jobs import Batch, Finished, Job, Outcome, Workers, logger
from ego.bulk.journal import Journal
from ego.errors import EgoError, InputError, StoreError

BATCH = 8  # jobs
RETRIES = 2  # further attempts when a worker is lost


@dataclass(frozen=True)
class Progress:
    """How far the work is.

    Attributes:
        written: Results written by this run.
        already: Results that were there before.
        failed: Jobs without a result.
        seconds: Since the start.
    """

    written: int
    already: int
    failed: int
    seconds: float


@dataclass(frozen=True)
class BulkReport:
    """What came of all jobs.

    Attributes:
        progress: The last state.
        failures: Jobs without a result, in order.
        lost: How often a worker was lost.
    """

    progress: Progress
    failures: tuple[Outcome, ...]
    lost: int


def run_bulk(
    jobs: Iterable[Job],
    workers: Workers,
    write: Callable[[Outcome], None],
    *,
    written: Callable[[Job], bool] = lambda job: True,
    journal: Journal | None = None,
    batch: int = BATCH,
    retries: int = RETRIES,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> BulkReport:
    """Do all jobs that are not done yet.

    Args:
        jobs: In the order in which results are to be written; read as they are needed.
        workers: Who does them.
        write: Keeps a result; called in the order of the jobs, by this thread. An EgoError makes the job fail, a
            StoreError ends the run: the next result could not be kept either.
        written: Whether the result of a job that the journal knows is where it belongs.
        journal: Remembers across runs what was written.
        batch: Jobs that a worker gets at once.
        retries: Further attempts for a job whose worker was lost.
        on_progress: Called whenever something was written or failed.
    """
    if batch < 1 or retries < 0:
        raise InputError(f"batches of {batch} jobs and {retries} retries; give at least 1 and 0")
    return _Run(workers, write, written, journal or Journal(None), retries, on_progress).all(jobs, batch)


class _Run:
    """State of one run: batches under way, and outcomes that wait for their turn to be written."""

    def __init__(
        self,
        workers: Workers,
        write: Callable[[Outcome], None],
        written: Callable[[Job], bool],
        journal: Journal,
        retries: int,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._workers, self._write, self._written = workers, write, written
        self._journal, self._retries, self._on_progress = journal, retries, on_progress
        self._started = time.perf_counter()
        self._under_way = 0
        self._again: list[Batch] = []
        self._waiting: dict[int, dict[str, Outcome]] = {}
        self._expected: dict[int, tuple[Job, ...]] = {}
        self._next = 0
        self._count = {"written": 0, "already": 0}
        self._failures: list[Outcome] = []
        self._lost = 0

    def all(self, jobs: Iterable[Job], size: int) -> BulkReport:
        todo = self._batches(jobs, size)
        while True:
            self._hand_out(todo)
            if not self._under_way:
                break
            self._take(self._workers.finished())
        self._on_progress(self._progress())
        return BulkReport(self._progress(), tuple(self._failures), self._lost)

    def _batches(self, jobs: Iterable[Job], size: int) -> Iterator[Batch]:
        open_jobs = (job for job in jobs if not self._is_done(job))
        number = 0
        while chunk := tuple(islice(open_jobs, size)):
            yield Batch(number, chunk)
            number += 1

    def _is_done(self, job: Job) -> bool:
        done = job.key in self._journal.keys and self._written(job)
        self._count["already"] += done
        return done

    def _hand_out(self, todo: Iterator[Batch]) -> None:
        """Keep every place busy, and no more results waiting than there are places."""
        while self._under_way < self._workers.places and (self._again or len(self._expected) < 2 * self._places):
            batch = self._again.pop(0) if self._again else next(todo, None)
            if batch is None:
                return
            self._expected.setdefault(batch.number, batch.jobs)
            self._workers.submit(batch)
            self._under_way += 1

    @property
    def _places(self) -> int:
        return max(1, self._workers.places)

    def _take(self, finished: Finished) -> None:
        self._under_way -= 1
        batch = finished.batch
        outcomes = finished.outcomes
        if outcomes is None:
            self._lost += 1
            logger.warning("a worker was lost (%s); its %d jobs are done again", finished.reason, len(batch.jobs))
            if batch.attempt < self._retries:
                self._again.extend(Batch(batch.number, (job,), batch.attempt + 1) for job in batch.jobs)
                return
            given_up = f"its worker was lost {batch.attempt + 1} times ({finished.reason})"
            outcomes = tuple(Outcome(job, error=given_up) for job in batch.jobs)
        self._waiting.setdefault(batch.number, {}).update({outcome.job.key: outcome for outcome in outcomes})
        self._write_in_order()

    def _write_in_order(self) -> None:
        """Write the batches whose turn it is."""
        while self._next in self._expected and len(self._waiting.get(self._next, ())) == len(
            self._expected[self._next]
        ):
            there, jobs = self._waiting.pop(self._next), self._expected.pop(self._next)
            outcomes = [there[job.key] for job in jobs]
            self._next += 1
            self._journal.claim([outcome.job.key for outcome in outcomes if not outcome.error])
            for outcome in outcomes:
                self._keep(outcome)
            self._on_progress(self._progress())

    def _keep(self, outcome: Outcome) -> None:
        if not outcome.error:
            try:
                self._write(outcome)
                self._count["written"] += 1
                return
            except StoreError:
                raise
            except EgoError as error:
                outcome = Outcome(outcome.job, error=f"{type(error).__name__}: {error}")
        self._failures.append(outcome)

    def _progress(self) -> Progress:
        seconds = time.perf_counter() - self._started
        return Progress(self._count["written"], self._count["already"], len(self._failures), seconds)
