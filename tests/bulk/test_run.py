"""Bulk runs: in order, each once, whatever is lost on the way."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ego.bulk.jobs import Batch, Finished, Outcome, ThisProcess, done
from ego.bulk.journal import Journal
from ego.bulk.run import Progress, run_bulk
from ego.errors import DuplicateConceptError, InputError, StoreError
from tests.bulk.work import Doubling, NoModel, jobs


class LosingWorkers:
    """Several places that finish in any order and lose some batches: what Ray does, without its processes."""

    def __init__(self, places: int, picks: list[int], losses: list[bool]) -> None:
        self.places, self._picks, self._losses = places, picks, losses
        self._under_way: list[Batch] = []
        self.most = 0

    def submit(self, batch: Batch) -> None:
        self._under_way.append(batch)
        self.most = max(self.most, len(self._under_way))

    def finished(self) -> Finished:
        pick = self._picks.pop() if self._picks else 0
        batch = self._under_way.pop(pick % len(self._under_way))
        if self._losses and self._losses.pop():
            return Finished(batch, None, "lost")
        return Finished(batch, done(Doubling()(), batch))


@given(
    count=st.integers(0, 20),
    size=st.integers(1, 5),
    places=st.integers(1, 4),
    picks=st.lists(st.integers(0, 9), max_size=30),
    losses=st.lists(st.booleans(), max_size=8),
)
def test_results_are_written_once_and_in_order(
    count: int, size: int, places: int, picks: list[int], losses: list[bool]
) -> None:
    written: list[int] = []
    workers = LosingWorkers(places, picks, losses)
    report = run_bulk(jobs(count), workers, lambda one: written.append(one.result), batch=size, retries=len(losses) + 1)
    assert written == [2 * number for number in range(count)]
    assert (report.progress.written, report.progress.failed) == (count, 0)
    assert workers.most <= places


def test_a_job_that_keeps_losing_its_worker_is_given_up_alone() -> None:
    class Cursed(LosingWorkers):
        def finished(self) -> Finished:
            if any(job.payload == 3 for job in self._under_way[0].jobs):
                return Finished(self._under_way.pop(0), None, "lost")
            return super().finished()

    written: list[int] = []
    report = run_bulk(jobs(6), Cursed(1, [], []), lambda one: written.append(one.result), batch=4, retries=2)
    assert written == [0, 2, 4, 8, 10]
    assert [(one.job.key, one.error) for one in report.failures] == [("job 3", "its worker was lost 3 times (lost)")]
    assert report.lost == 3


def test_one_bad_job_does_not_hold_up_the_others() -> None:
    written: list[int] = []
    report = run_bulk(jobs(5), ThisProcess(Doubling(bad=1)), lambda one: written.append(one.result), batch=2)
    assert written == [0, 4, 6, 8]
    assert [one.error for one in report.failures] == ["InputError: 1 is not to be doubled"]


def test_a_result_that_cannot_be_written_is_a_failure() -> None:
    def write(outcome: Outcome) -> None:
        if outcome.job.payload == 2:
            raise DuplicateConceptError("taken")

    report = run_bulk(jobs(4), ThisProcess(Doubling()), write)
    assert (report.progress.written, [one.error for one in report.failures]) == (3, ["DuplicateConceptError: taken"])


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    written: dict[str, int] = {}

    def write_three(outcome: Outcome) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt  # claimed, and not written
        written[outcome.job.key] = outcome.result

    def write(outcome: Outcome) -> None:
        assert outcome.job.key not in written
        written[outcome.job.key] = outcome.result

    with pytest.raises(KeyboardInterrupt):
        run_bulk(jobs(8), ThisProcess(Doubling()), write_three, journal=Journal(tmp_path / "journal"), batch=2)
    (tmp_path / "journal").open("a").write("job 7")  # a killed writer: the line has no end and does not count
    report = run_bulk(
        jobs(8),
        ThisProcess(Doubling()),
        write,
        written=lambda job: job.key in written,
        journal=Journal(tmp_path / "journal"),
        batch=2,
    )
    assert written == {f"job {number}": 2 * number for number in range(8)}
    assert (report.progress.already, report.progress.written) == (3, 5)


def test_progress_is_told() -> None:
    told: list[Progress] = []
    run_bulk(jobs(5), ThisProcess(Doubling()), lambda one: None, batch=2, on_progress=told.append)
    assert [one.written for one in told] == [2, 4, 5, 5]


def test_what_cannot_be() -> None:
    with pytest.raises(InputError, match="batches of 0"):
        run_bulk(jobs(1), ThisProcess(Doubling()), lambda one: None, batch=0)
    with pytest.raises(InputError, match="no such model"):
        run_bulk(jobs(1), ThisProcess(NoModel()), lambda one: None)


def test_a_journal_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        Journal(tmp_path)
    with pytest.raises(StoreError, match="cannot be written"):
        Journal(tmp_path / "missing" / "journal").claim(["a"])
