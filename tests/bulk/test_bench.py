"""`ego bench bulk` measures what it says."""

from collections.abc import Iterator

import pytest
import torch

from ego.bench import bulk
from tests.command import runner


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As in an actor of one core: sums depend on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.distributed
@pytest.mark.usefixtures("one_thread")
def test_libraries_of_this_process_and_of_ray_are_equal() -> None:
    pytest.importorskip("ray")
    measured = bulk.bench_bulk(sizes=(4,))
    (point,) = measured.points
    assert point.same_answers
    assert [way.name for way in point.ways] == [bulk.HERE, bulk.ONE, "2 Ray workers", bulk.ALONE, bulk.AGAIN]
    assert measured.figures["times faster than one Ray worker: 2 Ray workers"] > 0


def test_the_command_without_ray(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bulk, "find_spec", lambda name: None)
    done = runner(monkeypatch, capsys)("bench", "bulk", "--photos", "2", "--json")
    assert done.code == 0
    (point,) = done.document["points"]
    seconds = {way["name"]: way["seconds"] for way in point["ways"]}
    assert list(seconds) == [bulk.HERE, bulk.ALONE, bulk.AGAIN]
    assert seconds[bulk.AGAIN] < seconds[bulk.HERE]
