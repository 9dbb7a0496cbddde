"""The index: always in step with its library, and never another answer than scoring everything."""

import logging
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ego.errors import StoreError
from ego.library.filter import files as index_files
from ego.library.filter.codes import REORDERED, quantised
from ego.library.filter.index import FilterIndex
from ego.library.filter.late_interaction import best_first, found_in, late_interaction, unit
from tests.library.filter.concepts import Vectors, picture, vectors

ALL_BY_CODE = {"exact_below": 0}


def exact(index: FilterIndex, library: Vectors, tokens: np.ndarray, most: int) -> list[int]:
    """Score everything, in the space and the number format of the index."""
    keys, counts, rows = library.rows(library.keys())
    space = index.refresh().space
    placed = unit(quantised(space(rows)).astype(np.float32))
    return [int(keys[place]) for place in best_first(late_interaction(placed, counts, space(tokens)), most)]


def keys_of(index: FilterIndex, tokens: np.ndarray, most: int = 5) -> list[int]:
    return [found.key for found in index.nearest(tokens, most)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.sampled_from(["add", "remove", "change", "reopen"]), st.integers(0, 30)), max_size=25),
    by_code=st.booleans(),
    tells=st.booleans(),
)
def test_any_sequence_of_changes_answers_as_scoring_everything(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], by_code: bool, tells: bool
) -> None:
    folder, library = tmp_path_factory.mktemp("index"), vectors(12)
    library.tells = tells
    choice = {"exact_below": 0 if by_code else 100, "reranked": 100}
    index = FilterIndex(folder, library, **choice)
    for number, (what, key) in enumerate(steps):
        if what == "add" and key not in library.concepts:
            library.add(key)
        elif what == "remove" and len(library.concepts) > 1 and key in library.concepts:
            library.remove(key)
        elif what == "change" and key in library.concepts:  # changed rows come under another key
            library.remove(key)
            library.add(100 + number, seed=1000 + number)
        elif what == "reopen":
            index = FilterIndex(folder, library, **choice)
        assert keys_of(index, picture(number)) == exact(index, library, picture(number), 5)


def test_choosing_by_code_finds_nearly_what_scoring_everything_finds(tmp_path: Path) -> None:
    library = vectors(800)
    index = FilterIndex(tmp_path, library, exact_below=0, reranked=250)
    hits = [
        len(set(keys_of(index, picture(seed), 10)) & set(exact(index, library, picture(seed), 10)))
        for seed in range(20)
    ]
    assert np.mean(hits) > 9.3


@pytest.mark.parametrize("by_code", [False, True])
def test_the_likeliest_are_ordered_by_both_ways(tmp_path: Path, by_code: bool) -> None:
    library = vectors(REORDERED + 50)
    index = FilterIndex(tmp_path, library, exact_below=0 if by_code else 1000, reranked=1000)
    every = index.nearest(picture(0), REORDERED + 50)
    best = {found.key: found.score for found in every[:REORDERED]}
    keys, counts, rows = library.rows(np.array(list(best)))
    space = index.refresh().space
    placed = unit(quantised(space(rows)).astype(np.float32))
    both = np.array(list(best.values())) + found_in(placed, counts, space(picture(0)))
    wanted = [int(keys[place]) for place in best_first(both.astype(np.float32), REORDERED)]
    found = index.likeliest(picture(0), REORDERED + 50)
    assert [one.key for one in found] == [*wanted, *(one.key for one in every[REORDERED:])]
    assert index.likeliest(picture(0), 3) == found[:3]
    assert wanted != list(best)


def test_an_empty_library_has_no_answer(tmp_path: Path) -> None:
    library = Vectors()
    index = FilterIndex(tmp_path, library)
    assert index.nearest(picture(0), 5) == ()
    library.add(7)
    assert keys_of(index, picture(0)) == [7]
    library.remove(7)
    assert index.nearest(picture(0), 5) == index.likeliest(picture(0), 5) == ()


def test_nothing_is_read_twice(tmp_path: Path) -> None:
    library = vectors(300)
    FilterIndex(tmp_path, library).nearest(picture(0), 5)
    library.read = 0
    again = FilterIndex(tmp_path, library)
    again.nearest(picture(1), 5)
    assert library.read == 0
    library.add(1000)
    again.nearest(picture(1), 5)
    assert library.read == 1


def test_it_is_fitted_anew_when_the_library_has_grown(tmp_path: Path) -> None:
    library = vectors(100)
    index = FilterIndex(tmp_path, library)
    index.refresh()
    for key in range(1000, 1400):
        library.add(key)
    opened = index.refresh()
    assert opened.manifest.trained_on == opened.manifest.concepts == 500


def test_removed_rows_leave_the_disk(tmp_path: Path) -> None:
    library = vectors(20)
    index = FilterIndex(tmp_path, library)
    before = index.refresh()
    place = int(before.places(np.array([3]))[0])
    start, count = int(before.starts[place]), int(before.counts[place])
    library.remove(3)
    after = index.refresh()
    assert not after.rows[start : start + count].any()
    assert len(after.places(np.array([3]))) == 0


@pytest.mark.parametrize("name", ["manifest.json", "fixed.npz", "concepts", "codes", "rows", "removed"])
@pytest.mark.parametrize("damage", ["altered", "cut", "gone"])
def test_a_damaged_index_is_built_anew(
    name: str, damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library = vectors(60)
    FilterIndex(tmp_path, library).refresh()
    library.remove(5)
    index = FilterIndex(tmp_path, library, **ALL_BY_CODE)
    right = keys_of(index, picture(0))
    (file,) = tmp_path.rglob(name)
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-1] if damage == "cut" else content[:20] + bytes(255 - b for b in content[20:]))
    library.read = 0
    with caplog.at_level(logging.INFO):
        assert keys_of(FilterIndex(tmp_path, library, **ALL_BY_CODE), picture(0)) == right
    altered = damage != "altered" or len(content) > 20
    assert (library.read > 0) == altered


def test_another_process_sees_changes_without_reading_all_again(tmp_path: Path) -> None:
    library = vectors(50)
    one, other = FilterIndex(tmp_path, library), FilterIndex(tmp_path, library)
    one.refresh()
    other.refresh()
    library.add(99)
    one.refresh()
    library.read = 0
    assert keys_of(other, picture(2), 51) == keys_of(one, picture(2), 51)
    assert library.read == 0


def _add_until_killed(folder: Path) -> None:
    library = vectors(40)
    index = FilterIndex(folder, library)
    index.refresh()
    really = os.fsync
    calls = iter(range(1000))

    def killed(handle: int) -> None:
        if next(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        really(handle)

    index_files.os.fsync = killed  # type: ignore[assignment]
    library.add(99)
    library.remove(7)
    index.refresh()


def test_a_killed_writer_leaves_a_working_index(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_add_until_killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    library = vectors(40)
    library.add(99)
    library.remove(7)
    index = FilterIndex(tmp_path, library)
    assert keys_of(index, picture(0), 40) == exact(index, library, picture(0), 40)


def test_a_folder_that_another_process_keeps_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ego.library.filter.index.LOCK_SECONDS", 0.01)
    folder = tmp_path / "index"
    folder.mkdir()
    with FileLock(folder / ".lock"), pytest.raises(StoreError, match="another process keeps building"):
        FilterIndex(folder, vectors(5)).refresh()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a folder one may not write to")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert keys_of(FilterIndex(tmp_path / "index", vectors(5)), picture(0), 5)
