"""Headers read alone say what whole memories say."""

import shutil
from pathlib import Path

import pytest

from ego import ConceptStore
from ego.cli.completion import concept_names
from ego.memory_file import dump
from ego.memory_listing import list_memories
from tests.examples_of_memories import memory_of


@pytest.fixture
def library(tmp_path: Path) -> Path:
    store = ConceptStore(tmp_path / "library")
    for name in ("Bo", "Ada", "bottle"):
        store.add(memory_of(name))
    return store.folder


def test_headers_say_what_memories_say(library: Path) -> None:
    told = list_memories(library).stories
    whole = ConceptStore(library).load_all().memories
    assert [(one.name, one.created, one.views, one.fingerprint) for one in told] == [
        (one.name, one.created, one.views, one.fingerprint) for one in whole
    ]
    assert [sum(len(view.kept) for view in one.views) for one in told] == [len(one.tokens) for one in whole]
    assert list_memories(library / "nowhere").stories == ()


def test_what_cannot_be_used_is_named_as_the_store_names_it(library: Path) -> None:
    one = next(library.glob("*.ego"))
    shutil.copy(one, library / "copy.ego")
    (library / "empty.ego").write_bytes(b"")
    (library / "junk.ego").write_bytes(b"\xff" * 4000)
    (library / "later.ego").write_bytes(dump(memory_of("Zoe")).replace(rb"\"version\":1", rb"\"version\":9"))
    skipped = list_memories(library).skipped
    by_store = {entry.file: entry.reason for entry in ConceptStore(library).load_all().skipped}
    assert {path.name: reason for path, reason in skipped.items()} == by_store
    assert len(skipped) == 4


def test_the_shell_is_offered_names(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGO_LIBRARY", str(library))
    assert list(concept_names("b")) == ["Bo", "bottle"]
    assert list(concept_names("Ad")) == ["Ada"]
    monkeypatch.setenv("EGO_LIBRARY", str(library / "nowhere"))
    assert list(concept_names("")) == []
