"""The catalogue gives what the folder gives, whatever is done to both."""

import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ego.errors import DuplicateConceptError, EgoError, InputError, StoreError, UnknownConceptError
from ego.library.catalogue import Catalogue
from ego.library.contract import Library
from ego.library.database import FILE
from ego.memory import ConceptMemory
from ego.store import ConceptStore
from tests.command import runner
from tests.examples_of_memories import FINGERPRINT, memory_of

FOREIGN = FINGERPRINT.model_copy(update={"weights": "f" * 64})
NAMES = ("Bo", "bo", "Cup", "имя", "a/b")


def concept(name: str, second: int) -> ConceptMemory:
    rows = torch.nn.functional.normalize(torch.tensor([[float(second), 1.0], [1.0, 2.0 * second]]), dim=1)
    return replace(memory_of(name, rows), created=f"2026-01-01T00:00:{second:02}+00:00")


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "catalogue")


def both_do(one: Library, other: Library, step: tuple[str, str, str], second: int) -> None:
    what, name, new_name = step
    outcomes = []
    for library in (one, other):
        try:
            if what == "add":
                library.add(concept(name, second))
            elif what == "replace":
                library.add(concept(name, second), replace=True, stored_type="float32")
            elif what == "view":
                library.add_view(name, concept(name, second))
            elif what == "rename":
                library.rename(name, new_name)
            else:
                library.remove(name)
            outcomes.append("done")
        except EgoError as error:
            outcomes.append(type(error).__name__)
    assert outcomes[0] == outcomes[1]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "add", "replace", "view", "rename", "remove"]),
            st.sampled_from(NAMES),
            st.sampled_from(NAMES),
        ),
        max_size=12,
    )
)
def test_any_sequence_of_changes_gives_the_same_as_a_folder(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("libraries")
    store, packed = ConceptStore(folder / "store"), Catalogue(folder / "catalogue")
    picture = torch.tensor([[3.0, 1.0], [0.5, 0.5]])
    for second, step in enumerate(steps):
        both_do(store, packed, step, second)
        assert packed.names() == store.names()
        assert packed.count(FINGERPRINT) == store.count(FINGERPRINT)
        nearest = [[m.name for m in one.nearest(picture, FINGERPRINT, 3)] for one in (store, packed)]
        assert set(nearest[0]) == set(nearest[1])
    for one, other in zip(store.load_all().memories, packed.load_all().memories, strict=True):
        assert (one.name, one.views, one.created) == (other.name, other.views, other.created)
        assert one.tokens.rows.equal(other.tokens.rows)
    assert [m.name for m in packed.first(FINGERPRINT, 2)] == [m.name for m in store.first(FINGERPRINT, 2)]
    assert [m.name for m in packed.known(NAMES)] == [m.name for m in store.known(NAMES)]


def test_an_unused_catalogue_makes_no_file(catalogue: Catalogue) -> None:
    assert (catalogue.names(), catalogue.count(FINGERPRINT), catalogue.load_all().memories) == ((), 0, ())
    assert catalogue.nearest(torch.ones(1, 2), FINGERPRINT, 3) == ()
    with pytest.raises(UnknownConceptError, match="check the spelling"):
        catalogue.get("Bo")
    assert not (catalogue.folder / FILE).exists()


def test_files_in_and_out(catalogue: Catalogue, tmp_path: Path) -> None:
    store = ConceptStore(tmp_path / "store")
    for second, name in enumerate(("Bo", "Cup", "Ball")):
        store.add(concept(name, second))
    assert catalogue.import_all(store.folder.glob("*.ego")) == 3
    assert catalogue.export_all(tmp_path / "out") == 3
    before = sorted(path.read_bytes() for path in store.folder.glob("*.ego"))
    assert sorted(path.read_bytes() for path in (tmp_path / "out").glob("*.ego")) == before
    assert ConceptStore(tmp_path / "out").names() == store.names() == catalogue.names()
    catalogue.export("bo", tmp_path / "bo.ego")
    assert catalogue.import_file(tmp_path / "bo.ego", "other Bo") == "other Bo"
    with pytest.raises(InputError, match="exists already"):
        catalogue.export("bo", tmp_path / "bo.ego")
    with pytest.raises(InputError, match="cannot be written"):
        catalogue.export("bo", tmp_path / "missing" / "bo.ego")


def test_many_at_once_or_none_of_a_transaction(catalogue: Catalogue) -> None:
    catalogue.add(concept("Cup", 0))
    with pytest.raises(DuplicateConceptError):
        catalogue.add_many([concept("Bo", 1), concept("cup", 2)])
    assert catalogue.names() == ("Cup",)


def test_memories_of_another_model_are_named(catalogue: Catalogue) -> None:
    catalogue.add(concept("Bo", 0))
    catalogue.add(replace(concept("Cup", 1), fingerprint=FOREIGN))
    found = catalogue.load_all(FINGERPRINT)
    assert ([one.name for one in found.memories], [one.file for one in found.skipped]) == (["Bo"], ["Cup"])
    assert catalogue.count(FOREIGN) == 1


def test_a_damaged_memory_is_named_and_the_others_work(catalogue: Catalogue) -> None:
    import sqlite3
    import zlib

    for second, name in enumerate(("Bo", "Cup")):
        catalogue.add(concept(name, second))
    with sqlite3.connect(catalogue.folder / FILE) as connection:
        connection.execute("UPDATE concepts SET memory = ? WHERE name = 'Bo'", (zlib.compress(b"x"),))
    found = Catalogue(catalogue.folder).load_all()
    assert ([one.name for one in found.memories], [one.file for one in found.skipped]) == (["Cup"], ["Bo"])


def test_what_is_forgotten_is_overwritten(catalogue: Catalogue) -> None:
    catalogue.add(replace(concept("Bo", 0), notes="secret"))
    catalogue.add(concept("Unforgettable", 1))
    catalogue.remove("Bo")
    assert b"Unforgettable" in (catalogue.folder / FILE).read_bytes()
    assert b"Bo" not in (catalogue.folder / FILE).read_bytes()
    assert (catalogue.folder / FILE).stat().st_mode & 0o077 == 0


def test_files_that_are_no_catalogue(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("x" * 5000)
    with pytest.raises(StoreError, match="cannot be used"):
        Catalogue(tmp_path).names()


def test_a_newer_format(catalogue: Catalogue) -> None:
    import sqlite3

    catalogue.add(concept("Bo", 0))
    with sqlite3.connect(catalogue.folder / FILE) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(StoreError, match="format version 9"):
        Catalogue(catalogue.folder).names()


def _killed_in_the_middle(folder: Path) -> None:
    def memories() -> object:
        yield concept("Bo", 1)
        os.kill(os.getpid(), signal.SIGKILL)

    library = Catalogue(folder)
    with library._database.changing():
        for memory in memories():  # type: ignore[attr-defined]
            library._put(memory, replace=False)


def test_a_killed_writer_changes_nothing(catalogue: Catalogue) -> None:
    catalogue.add(concept("Cup", 0))
    process = multiprocessing.get_context("spawn").Process(target=_killed_in_the_middle, args=(catalogue.folder,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert Catalogue(catalogue.folder).names() == ("Cup",)
    catalogue.add(concept("Bo", 1))
    assert catalogue.names() == ("Cup", "Bo")


def test_the_commands_on_a_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ego = runner(monkeypatch, capsys)
    store, packed = ConceptStore(tmp_path / "store"), tmp_path / "packed"
    for second, name in enumerate(("Bo", "Cup")):
        store.add(concept(name, second))
    assert ego("concepts", "pack", packed, "--library", store.folder, "--json").document["packed"] == 2
    assert ego("concepts", "rename", "Cup", "Mug", "--library", packed).code == 0
    listed = ego("concepts", "list", "--library", packed, "--json").document
    assert [one["name"] for one in listed] == ["Bo", "Mug"]
    assert ego("concepts", "show", "mug", "--library", packed, "--json").document["name"] == "Mug"
    assert ego("concepts", "unpack", tmp_path / "files", "--library", packed, "--json").document["unpacked"] == 2
    assert ConceptStore(tmp_path / "files").names() == ("Bo", "Mug")
    refused = ego("concepts", "unpack", tmp_path / "x", "--library", store.folder)
    assert (refused.code, "is no catalogue" in refused.err.replace("\n", " ")) == (2, True)
