"""Writing a file in one step."""

import os
from pathlib import Path

import pytest

from ego.atomic_file import clear_unfinished, remove_file, write_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"one")
    write_file(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert names(tmp_path) == ["a"]


def test_a_failure_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        write_file(tmp_path / "a", b"two")
    assert names(tmp_path) == ["a"]


def test_systems_that_cannot_open_folders_do_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY", raising=False)
    write_file(tmp_path / "a", b"one")
    assert (tmp_path / "a").read_bytes() == b"one"


def test_a_removed_file_is_gone(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"one")
    remove_file(tmp_path / "a")
    assert names(tmp_path) == []


def test_only_unfinished_files_are_cleared(tmp_path: Path) -> None:
    for name in (".12.unfinished", "12.unfinished", ".lock", "a"):
        (tmp_path / name).touch()
    clear_unfinished(tmp_path)
    assert names(tmp_path) == [".lock", "12.unfinished", "a"]
