"""`ego bench library` measures what it says."""

from pathlib import Path

import pytest

from ego.bench import library
from ego.bench.measure import megabytes_read
from ego.bench.stored_memories import FINGERPRINT, stored_memories
from ego.memory_file import dump
from ego.store import ConceptStore


def test_a_library_of_each_kind_is_opened_asked_and_changed() -> None:
    measured = library.bench_library((20, 40), rounds=1)
    assert [point.size for point in measured.points] == [20, 40]
    assert all(point.same_answers for point in measured.points)
    assert all(way.seconds > 0 for way in measured.points[0].ways)
    assert measured.figures["kB of a concept in the folder"] > 8


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="what a process reads is counted on Linux only")
def test_what_is_read_is_counted_and_a_second_question_reads_no_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(3_000_000))
    read = megabytes_read((tmp_path / "file").read_bytes)
    assert read == pytest.approx(3, rel=0.01)
    for number, memory in enumerate(stored_memories(30)):
        (tmp_path / f"{number}.ego").write_bytes(dump(memory))
    store, picture = ConceptStore(tmp_path), next(stored_memories(1)).tokens.rows.float()

    def ask() -> None:
        assert store.nearest(picture, FINGERPRINT, 3)[0].name == "thing 0"

    first, second = megabytes_read(ask), megabytes_read(ask)
    assert first is not None
    assert second is not None
    assert first > 30 * 0.008
    assert second < 0.02
