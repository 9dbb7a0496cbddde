"""A folder of many memories opens by its cards, and says the same as without them."""

import json
from pathlib import Path

import pytest

import ego.memory_folder
from ego.memory_file import dump
from ego.memory_folder import CARDS, MemoryFolder
from tests.examples_of_memories import memory_of

COUNT = 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(COUNT):
        (tmp_path / f"{number:04}.ego").write_bytes(dump(memory_of(f"concept {number}")))
    MemoryFolder(tmp_path).cards()
    return tmp_path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which files are read."""
    files: list[str] = []
    really = ego.memory_folder.load

    def load(path: Path) -> object:
        files.append(path.name)
        return really(path)

    monkeypatch.setattr(ego.memory_folder, "load", load)
    return files


def test_a_large_folder_opens_without_reading_its_memories(folder: Path, read: list[str]) -> None:
    files = MemoryFolder(folder)
    cards, skipped = files.cards()
    assert ([card.name for card in cards.values()], skipped) == (sorted(f"concept {n}" for n in range(COUNT)), {})
    assert read == []
    assert (folder / CARDS).stat().st_mode & 0o077 == 0


def test_only_what_changed_is_read(folder: Path, read: list[str]) -> None:
    (folder / "0007.ego").write_bytes(dump(memory_of("another")))
    (folder / "0008.ego").unlink()
    (folder / "0009.ego").write_text("damaged")
    (folder / "new.ego").write_bytes(dump(memory_of("new")))
    files = MemoryFolder(folder)
    cards, skipped = files.cards()
    names = {card.name for card in cards.values()}
    assert names == {f"concept {n}" for n in range(COUNT) if n not in (7, 8, 9)} | {"another", "new"}
    assert [path.name for path in skipped] == ["0009.ego"]
    assert sorted(read) == ["0007.ego", "0009.ego", "new.ego"]
    files.cards()
    assert len(read) == 3


def test_a_card_does_not_outlive_its_memory(folder: Path) -> None:
    (folder / "0008.ego").unlink()
    MemoryFolder(folder).cards()
    assert "concept 8" not in {values[2] for values in json.loads((folder / CARDS).read_text())["cards"]}


@pytest.mark.thorough
@pytest.mark.parametrize("content", ["", "{", "[]", '{"models": [], "cards": [[1]]}', '{"models": [{}], "cards": []}'])
def test_damaged_cards_are_made_anew(folder: Path, content: str, read: list[str]) -> None:
    (folder / CARDS).write_text(content)
    assert len(MemoryFolder(folder).cards()[0]) == COUNT
    assert len(read) == COUNT
    assert len(json.loads((folder / CARDS).read_text())["cards"]) == COUNT


def test_a_small_folder_keeps_no_cards(tmp_path: Path) -> None:
    (tmp_path / "a.ego").write_bytes(dump(memory_of("a")))
    MemoryFolder(tmp_path).cards()
    assert [path.name for path in tmp_path.iterdir()] == ["a.ego"]


def test_unchanged_memories_are_the_same_objects(folder: Path) -> None:
    files = MemoryFolder(folder)
    first, second = files.scan()[0], files.scan()[0]
    assert all(first[path] is second[path] for path in first)
