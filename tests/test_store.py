"""The store, used by one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ego.memory_folder
from ego.errors import (
    ConceptNameError,
    DamagedMemoryError,
    DuplicateConceptError,
    ForeignMemoryError,
    InputError,
    StoreError,
    UnknownConceptError,
)
from ego.memory import ConceptMemory
from ego.memory_file import dump
from ego.store import ConceptStore
from tests.examples_of_memories import FINGERPRINT, memory_of

FOREIGN = FINGERPRINT.model_copy(update={"weights": "f" * 64, "model_id": "other/model"})


@pytest.fixture
def store(tmp_path: Path) -> ConceptStore:
    return ConceptStore(tmp_path / "concepts")


def created(name: str, second: int) -> ConceptMemory:
    return replace(memory_of(name), created=f"2026-01-01T00:00:{second:02}+00:00")


def files(store: ConceptStore) -> list[Path]:
    return sorted(store.folder.glob("*.ego"))


def by_itself(store: ConceptStore) -> Path:
    (file,) = files(store)
    return file


# -- what a store does


def test_a_new_store_is_empty_and_makes_no_folder(store: ConceptStore) -> None:
    assert store.names() == ()
    assert not store.folder.exists()


def test_a_memory_comes_back_in_another_store_object(store: ConceptStore) -> None:
    store.add(memory_of("Bo", torch.tensor([[1.0, 2.0], [3.0, 4.0]])), stored_type="float16")
    memory = ConceptStore(str(store.folder)).get("Bo")
    assert memory.name == "Bo"
    assert memory.tokens.rows.dtype == torch.float16
    assert memory.tokens.rows.tolist() == [[1, 2], [3, 4]]


def test_order_is_by_time_then_name(store: ConceptStore) -> None:
    for memory in (created("c", 1), created("a", 2), created("b", 1), created("d", 0)):
        store.add(memory)
    assert store.names() == ("d", "b", "c", "a")
    store.rename("d", "z")
    assert store.names() == ("z", "b", "c", "a")
    store.add_view("b", memory_of("x"))
    assert store.names() == ("z", "b", "c", "a")


def test_times_of_different_zones_and_spellings_are_compared_as_times(store: ConceptStore) -> None:
    for name, time in [
        ("third", "2026-01-01T00:00:00.5+00:00"),
        ("first", "2026-01-01T01:00:00+02:00"),
        ("second", "2026-01-01T00:00:00Z"),
    ]:
        store.add(replace(memory_of(name), created=time))
    assert store.names() == ("first", "second", "third")


def test_names_are_found_whatever_their_case(store: ConceptStore) -> None:
    store.add(memory_of("Zoë"))
    assert store.get(" ZOE\u0308 ").name == "Zoë"


def test_a_taken_name_is_refused_and_nothing_changes(store: ConceptStore) -> None:
    store.add(memory_of("Bo"))
    before = by_itself(store).read_bytes()
    with pytest.raises(DuplicateConceptError, match="'Bo' is remembered already, made with tiny; choose another name"):
        store.add(memory_of("BO", torch.zeros(2, 2)))
    with pytest.raises(DuplicateConceptError):
        store.require_free("bo")
    assert by_itself(store).read_bytes() == before


def test_replacing_keeps_one_file(store: ConceptStore) -> None:
    store.add(memory_of("Bo"))
    store.add(memory_of("BO", torch.zeros(2, 2)), replace=True)
    assert by_itself(store)
    assert store.names() == ("BO",)
    assert store.get("bo").tokens.rows.sum() == 0


def test_a_view_is_added_in_the_stored_format(store: ConceptStore) -> None:
    store.add(memory_of("Bo", torch.zeros(2, 2)), stored_type="bfloat16")
    store.add_view("bo", memory_of("whatever", torch.ones(2, 2)))
    memory = store.get("Bo")
    assert memory.name == "Bo"
    assert memory.tokens.rows.dtype == torch.bfloat16
    assert memory.tokens.rows.tolist() == [[0, 0], [0, 0], [1, 1], [1, 1]]
    assert len(memory.views) == 2


def test_a_view_of_another_model_is_refused(store: ConceptStore) -> None:
    store.add(memory_of("Bo"))
    with pytest.raises(ForeignMemoryError):
        store.add_view("Bo", replace(memory_of("Bo"), fingerprint=FOREIGN))
    assert len(store.get("Bo").views) == 1


def test_renaming(store: ConceptStore) -> None:
    store.add(memory_of("Bo"))
    store.add(memory_of("Ada"))
    store.rename("bo", "BO")
    store.rename("BO", "../../etc/passwd")
    assert store.names() == ("../../etc/passwd", "Ada")
    assert {path.parent for path in files(store)} == {store.folder}
    with pytest.raises(DuplicateConceptError):
        store.rename("ada", "../../ETC/passwd")
    with pytest.raises(ConceptNameError):
        store.rename("Ada", "a\nb")
    with pytest.raises(UnknownConceptError):
        store.rename("Bo", "Bob")
    assert store.names() == ("../../etc/passwd", "Ada")


def test_removing(store: ConceptStore) -> None:
    store.add(memory_of("Bo"))
    store.remove("bo")
    assert (store.names(), files(store)) == ((), [])
    with pytest.raises(UnknownConceptError):
        store.remove("bo")


def test_unknown_names_get_a_hint(store: ConceptStore) -> None:
    with pytest.raises(UnknownConceptError, match="no concept is called 'Bo'; the store is empty, introduce a concept"):
        store.get("Bo")
    store.add(memory_of("Marble the cat"))
    with pytest.raises(UnknownConceptError, match="did you mean 'Marble the cat'"):
        store.get("marble the bat")
    with pytest.raises(UnknownConceptError, match="known: Marble the cat"):
        store.get("x")


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/", "..", "con", "a" * 64, "👩‍🚀", "שלום", "<|im_end|>", "*.ego", "%s", "'; DROP TABLE"],
)
def test_odd_names_stay_inside_the_folder(tmp_path: Path, name: str) -> None:
    store = ConceptStore(tmp_path / "concepts")
    store.add(memory_of(name))
    assert store.get(name).name == name
    assert len(by_itself(store).name) == 32 + len(".ego")
    assert [path.name for path in tmp_path.iterdir()] == ["concepts"]
    store.remove(name)


# -- the same object as long as nothing changes


def test_unchanged_memories_are_the_same_objects(store: ConceptStore) -> None:
    store.add(memory_of("Bo"))
    store.add(memory_of("Ada"))
    bo, ada = store.get("Bo"), store.get("Ada")
    ConceptStore(store.folder).add_view("Bo", memory_of("x"))
    assert store.get("Ada") is ada
    assert store.get("Bo") is not bo
    assert len(store.get("Bo").views) == 2


# -- files that cannot be used


def test_a_damaged_file_is_named_and_the_others_work(store: ConceptStore) -> None:
    store.add(memory_of("Bo"))
    damaged = by_itself(store)
    store.add(memory_of("Ada"))
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    (store.folder / "notes.ego").write_text("Dear Bo, ...")
    found = store.load_all()
    assert [memory.name for memory in found.memories] == ["Ada"]
    assert [file.file for file in found.skipped] == sorted([damaged.name, "notes.ego"])
    assert all("is damaged" in file.reason for file in found.skipped)
    assert {path.name for path in files(store)} >= {damaged.name, "notes.ego"}  # nothing is thrown away


def test_memories_of_another_model_are_named(store: ConceptStore) -> None:
    store.add(memory_of("Bo"))
    store.add(replace(memory_of("Ada"), fingerprint=FOREIGN))
    found = store.load_all(FINGERPRINT)
    assert [memory.name for memory in found.memories] == ["Bo"]
    (skipped,) = found.skipped
    assert "'Ada' was made with other/model" in skipped.reason
    assert skipped.file in {path.name for path in files(store)}
    assert store.names() == ("Ada", "Bo")


def test_other_things_in_the_folder_are_none_of_its_business(store: ConceptStore) -> None:
    store.add(memory_of("Bo"))
    (store.folder / "folder.ego").mkdir()
    (store.folder / "photo.jpg").write_bytes(b"x")
    (store.folder / "._Bo.ego").write_bytes(b"x")  # as macOS writes on foreign disks
    (store.folder / "gone.ego").symlink_to(store.folder / "nowhere")
    assert store.load_all().skipped == ()
    assert store.names() == ("Bo",)


def test_of_two_files_with_one_name_the_earlier_counts(store: ConceptStore) -> None:
    store.add(created("Bo", 1))
    first = by_itself(store)
    (store.folder / "copy.ego").write_bytes(dump(created("BO", 2)))
    found = store.load_all()
    assert [memory.name for memory in found.memories] == ["Bo"]
    (skipped,) = found.skipped
    assert (skipped.file, skipped.reason) == (
        "copy.ego",
        f"a second memory of 'BO', the first is {first.name}; delete one of them",
    )


def test_a_file_copied_in_under_any_file_name_is_a_memory(store: ConceptStore) -> None:
    store.folder.mkdir()
    (store.folder / "from a friend.ego").write_bytes(dump(memory_of("Bo")))
    store.rename("Bo", "Bob")
    assert store.names() == ("Bob",)
    assert by_itself(store).name == "from a friend.ego"


# -- export and import


def test_export_and_import(store: ConceptStore, tmp_path: Path) -> None:
    store.add(memory_of("Bo"))
    store.export("bo", tmp_path / "bo.ego")
    other = ConceptStore(tmp_path / "other")
    assert other.import_file(tmp_path / "bo.ego") == "Bo"
    assert other.import_file(str(tmp_path / "bo.ego"), " Bob ") == "Bob"
    assert other.names() == ("Bo", "Bob")
    assert by_itself(store).read_bytes() == (tmp_path / "bo.ego").read_bytes()
    with pytest.raises(DuplicateConceptError):
        other.import_file(tmp_path / "bo.ego")
    assert other.import_file(tmp_path / "bo.ego", replace=True) == "Bo"


def test_export_does_not_overwrite_unasked(store: ConceptStore, tmp_path: Path) -> None:
    store.add(memory_of("Bo"))
    (tmp_path / "bo.ego").write_bytes(b"precious")
    for target, said in ((tmp_path / "bo.ego", "exists already"), (tmp_path, "is a folder")):
        with pytest.raises(InputError, match=said):
            store.export("Bo", target)
    assert (tmp_path / "bo.ego").read_bytes() == b"precious"
    store.export("Bo", tmp_path / "bo.ego", replace=True)
    assert (tmp_path / "bo.ego").read_bytes() != b"precious"
    with pytest.raises(StoreError, match="cannot be used"):
        store.export("Bo", tmp_path / "no" / "such" / "folder.ego")


def test_import_refuses_what_is_no_memory(store: ConceptStore, tmp_path: Path) -> None:
    (tmp_path / "a.ego").write_bytes(b"Dear Bo, ...")
    with pytest.raises(DamagedMemoryError, match=r"a\.ego is damaged"):
        store.import_file(tmp_path / "a.ego")
    with pytest.raises(InputError, match="there is no file"):
        store.import_file(tmp_path / "no.ego")
    with pytest.raises(InputError, match="is a folder"):
        store.import_file(tmp_path)
    assert store.names() == ()


# -- folders that cannot be used


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.add(memory_of("Bo")),
        lambda store: store.names(),
        lambda store: store.load_all(FINGERPRINT),
    ],
)
def test_a_folder_that_became_a_file(store: ConceptStore, change: Callable[[ConceptStore], object]) -> None:
    store.folder.write_text("x")
    with pytest.raises(StoreError, match="cannot be used"):
        change(store)
    with pytest.raises(StoreError, match="is a file; give a folder"):
        ConceptStore(store.folder)
    assert store.folder.read_text() == "x"


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder nobody can write to")
def test_a_folder_that_cannot_be_made() -> None:
    store = ConceptStore("/proc/concepts")
    with pytest.raises(StoreError, match="/proc/concepts cannot be used"):
        store.add(memory_of("Bo"))


def test_a_file_that_vanishes_while_it_is_read(store: ConceptStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process removes a concept between listing and reading, at the worst moment."""
    store.add(memory_of("Bo"))
    vanishing = by_itself(store)

    def load_late(path: Path) -> ConceptMemory:
        vanishing.unlink()
        return really_load(path)

    really_load = ego.memory_folder.load
    monkeypatch.setattr(ego.memory_folder, "load", load_late)
    found = store.load_all()
    assert (found.memories, found.skipped) == ((), ())
