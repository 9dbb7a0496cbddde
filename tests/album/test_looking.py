"""Whoever looks at an album, the index is the same, and each picture is written once."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from ego.album.looking import SENT_BYTES, here, spread_out
from ego.album.scan import scan, scan_with
from ego.bulk.jobs import ThisProcess
from ego.errors import StoreError
from ego.thresholds import Thresholds, write_thresholds
from tests.album.albums import Counting, album, content, known


def test_workers_far_away_need_nothing_but_what_they_are_sent(tmp_path: Path) -> None:
    personal, folder = known(tmp_path), album(tmp_path)
    bo = personal.store.get("Bo")
    write_thresholds(personal.store.folder, Thresholds().with_concept(bo, 0.99))  # decides the moments of clips
    alone, far = Counting(tmp_path / "alone"), Counting(tmp_path / "far")
    scan(personal, alone, [folder])
    task = spread_out(personal, "mini", "cpu")
    assert (task.digest, task.names, task.model) == (here(personal).digest, here(personal).names, here(personal).model)
    job = pickle.loads(pickle.dumps(task.job(str(folder / "scene-01.jpg"), "image")))
    assert job.payload.content == (folder / "scene-01.jpg").read_bytes()
    scan_with(task, ThisProcess(pickle.loads(pickle.dumps(task.look))), far, [folder], batch=3)
    assert content(far) == content(alone)
    assert far.written == alone.written == sorted(alone.written)
    assert len(far.written) == 8
    again = scan_with(task, ThisProcess(task.look), far, [folder])
    assert (again.looked, again.unchanged) == (0, 8)


def test_a_large_file_is_not_sent(tmp_path: Path) -> None:
    personal, large = known(tmp_path), tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(SENT_BYTES + 1)
    task = spread_out(personal, "mini", "cpu")
    assert task.job(str(large), "video").payload.content is None
    assert task.job(str(tmp_path / "gone.jpg"), "image").payload.content is None


def test_an_index_that_cannot_be_written_ends_the_scan(tmp_path: Path) -> None:
    class Full(Counting):
        def record(self, *_: object, **__: object) -> None:
            self.written.append("tried")
            raise StoreError("the disk is full")

    personal, folder = known(tmp_path), album(tmp_path)
    index = Full(tmp_path / "full")
    with pytest.raises(StoreError, match="full"):
        scan(personal, index, [folder])
    assert index.written == ["tried"]


def test_a_worker_that_is_lost_leaves_its_pictures_for_the_next_scan(tmp_path: Path) -> None:
    class Lossy(ThisProcess):
        """Loses every batch with a scene in it."""

        def finished(self):  # type: ignore[no-untyped-def]
            done = super().finished()
            lost = any("scene" in job.key for job in done.batch.jobs)
            return replace(done, outcomes=None, reason="killed") if lost else done

    personal, folder = known(tmp_path), album(tmp_path)
    task, index = here(personal), Counting(tmp_path / "index")
    summary = scan_with(task, Lossy(task.look), index, [folder])
    assert summary.looked == 2
    assert sum("its worker was lost" in problem for _, problem in summary.problems) == 6
    assert scan(personal, index, [folder]).looked == 6
