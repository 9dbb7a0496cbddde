"""One thread owns the model; everyone else waits in a bounded queue that is fair between owners.

Work that has a kind in common (pictures in which the same concepts are looked for; answers, whoever asks) is taken out
of the queue together and done in one go.
"""

import asyncio
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ego.server.failures import BusyError, ClosingError

T = TypeVar("T")
_MEMORY = 0.9  # weight of what was before in the running mean of seconds


class LeftError(Exception):
    """Nobody waits for the answer any more."""


@dataclass(eq=False)
class Ticket:
    """A place in the queue; the work looks at it to learn that nobody waits any more."""

    left: threading.Event = field(default_factory=threading.Event)

    def still_wanted(self) -> None:
        """Stop the work if its caller is gone.

        Raises:
            LeftError: If so.
        """
        if self.left.is_set():
            raise LeftError


@dataclass(frozen=True, eq=False)
class _Job:
    """What waits: a payload, and the function that works off payloads of one kind."""

    kind: Hashable
    payload: Any
    work: Callable[[Sequence[Any]], Iterable[tuple[int, Any]]]
    ticket: Ticket
    result: "Future[Any]"


class ModelThread:
    """Runs work one piece after the other.

    Args:
        depth: Most pieces that may wait.
        batch: Most pieces of one kind that are done together.
    """

    def __init__(self, depth: int, batch: int = 8) -> None:
        self._depth, self._batch = depth, batch
        self._waiting: OrderedDict[str, deque[_Job]] = OrderedDict()
        self._changed = threading.Condition()
        self._closing = False
        self._seconds = 1.0  # running mean of one piece
        self.batches: Callable[[int], None] = lambda size: None
        self._thread = threading.Thread(target=self._run, name="ego-model", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Count what waits."""
        return sum(map(len, self._waiting.values()))

    async def run(self, owner: str, work: Callable[[Ticket], T]) -> T:
        """Do one piece of work; cancelling the caller lets the work know."""
        ticket = Ticket()
        done: T = await self._wait(owner, _Job(object(), ticket, lambda given: [(0, work(given[0]))], ticket, Future()))
        return done

    async def run_together(
        self,
        owner: str,
        kind: Hashable,
        payload: Any,
        work: Callable[[Sequence[Any]], Iterable[tuple[int, T | Exception]]],
        ticket: Ticket | None = None,
    ) -> T:
        """Do work that may be done together with other work of the same kind.

        Args:
            owner: Who asks; all have turns.
            kind: What work must have in common.
            payload: What is to be worked on.
            work: Gives the number of a payload and its result, as each is done; an exception is raised where its
                payload came from.
            ticket: Learns that the caller has left.
        """
        done: T = await self._wait(owner, _Job(kind, payload, work, ticket or Ticket(), Future()))
        return done

    def close(self) -> None:
        """Finish what was taken, then end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    async def _wait(self, owner: str, job: _Job) -> Any:
        self._put(owner, job)
        try:
            return await asyncio.wrap_future(job.result)
        except asyncio.CancelledError:
            job.ticket.left.set()
            raise

    def _put(self, owner: str, job: _Job) -> None:
        with self._changed:
            if self._closing:
                raise ClosingError("the service is being stopped; try again when it is back")
            if len(self) >= self._depth:
                wait = max(1, math.ceil(self._seconds * len(self)))
                raise BusyError(f"{self._depth} requests wait already; try again in {wait} s", wait)
            self._waiting.setdefault(owner, deque()).append(job)
            self._changed.notify()

    def _run(self) -> None:
        while self._once():
            pass  # nothing of what was done is held while waiting: its pictures are large

    def _once(self) -> bool:
        """Do what is next; False at the end."""
        if (jobs := self._next()) is None:
            return False
        began = time.monotonic()
        self._work_off([job for job in jobs if job.result.set_running_or_notify_cancel()])
        spent = (time.monotonic() - began) / len(jobs)
        self._seconds = _MEMORY * self._seconds + (1 - _MEMORY) * spent
        return True

    def _work_off(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        self.batches(len(jobs))
        try:
            for number, result in jobs[0].work([job.payload for job in jobs]):
                done = jobs[number].result
                (done.set_exception if isinstance(result, Exception) else done.set_result)(result)
        except BaseException as error:  # handed to whoever waits
            for job in jobs:
                if not job.result.done():
                    job.result.set_exception(error)

    def _next(self) -> list[_Job] | None:
        """Take the next owner's first job, and with it what can be done together; None at the end."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            if not self._waiting:
                return None
            batch: list[_Job] = []
            while self._take_turns(batch):
                pass
            return batch

    def _take_turns(self, batch: list[_Job]) -> bool:
        """Let every owner add one job to a batch; says whether anyone did."""
        before = len(batch)
        for owner, jobs in list(self._waiting.items()):
            job = next((job for job in jobs if not batch or job.kind == batch[0].kind), None)
            if job is not None and len(batch) < self._batch:
                batch.append(job)
                jobs.remove(job)
                self._waiting.move_to_end(owner)  # every owner has a turn
                if not jobs:
                    del self._waiting[owner]
        return len(batch) > before
