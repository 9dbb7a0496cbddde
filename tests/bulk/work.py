"""Small work for tests of bulk runs, importable by worker processes."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ego.bulk.jobs import Job, Work, WorkFactory
from ego.errors import InputError


@dataclass(frozen=True)
class Doubling:
    """Doubles numbers; refuses `bad`; its process is killed once, when it first meets `deadly`."""

    bad: int = -1
    deadly: int = -1
    mark: Path = Path()

    def __call__(self) -> Work:
        return self.double

    def double(self, jobs: Sequence[Job]) -> Sequence[Any]:
        return [self._one(job.payload) for job in jobs]

    def _one(self, number: int) -> Any:
        if number == self.bad:
            return InputError(f"{number} is not to be doubled")
        if number == self.deadly and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number


@dataclass(frozen=True)
class Deadly:
    """Kills every process that tries."""

    def __call__(self) -> Work:
        return lambda jobs: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[return-value]


@dataclass(frozen=True)
class DeadlyOnce:
    """Other work; its process is killed once, when it first meets a job."""

    factory: WorkFactory
    key: str
    mark: Path

    def __call__(self) -> Work:
        work = self.factory()

        def meet(jobs: Sequence[Job]) -> Sequence[Any]:
            if self.key in {job.key for job in jobs} and not self.mark.exists():
                self.mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return work(jobs)

        return meet


@dataclass(frozen=True)
class NoModel:
    """A worker that cannot be made ready."""

    def __call__(self) -> Work:
        raise InputError("there is no such model")


def jobs(count: int) -> list[Job]:
    return [Job(f"job {number}", number) for number in range(count)]
