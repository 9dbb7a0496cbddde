"""A whole library in one file: there and back, beside another library, killed, damaged, and made by strangers."""

import os
import random
import signal
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ego.corrections import Correction, Corrections
from ego.errors import DamagedMemoryError, DuplicateConceptError, InputError, OutputError
from ego.library.archive import export_library, import_library
from ego.library.catalogue import Catalogue
from ego.memory import ConceptMemory
from ego.memory_file import dump
from ego.store import ConceptStore
from ego.thresholds import Thresholds, read_thresholds, write_thresholds
from tests.examples_of_memories import memory_of

NAMES = ("Bo", "Zoe's bag", "Großmutters Kanne", "../../etc/passwd")


def memory(name: str, seed: int = 0) -> ConceptMemory:
    """A memory with an identity and rows of its own."""
    made = memory_of(name, torch.randn(30, 2, generator=torch.Generator().manual_seed(seed)))
    view = made.views[0].model_copy(
        update={"kept": tuple(range(30)), "candidates": 30, "boxes": (), "importance": (0.0,) * 30}
    )
    return replace(made, views=(view,), created=f"2026-01-01T00:00:{seed % 60:02}+00:00", notes=name)


@pytest.fixture
def store(tmp_path: Path) -> ConceptStore:
    store = ConceptStore(tmp_path / "mine")
    for number, name in enumerate(NAMES):
        store.add(memory(name, number))
    Corrections(store.folder).add(word(store, "Bo", "p1"))
    first = store.get("Bo")
    write_thresholds(store.folder, Thresholds().with_concept(first, 0.7).with_library(first.fingerprint, 0.6))
    return store


def word(store: ConceptStore, name: str, picture: str, *, there: bool = True, when: str = "2026-01-01") -> Correction:
    identity = store.get(name).identity
    return Correction(concept=identity, picture=picture, there=there, margin=0.5, model="m", when=when)


def content(store: ConceptStore) -> list[tuple[str, bytes]]:
    return [(name, dump(store.get(name))) for name in store.names()]


def test_there_and_back(store: ConceptStore, tmp_path: Path) -> None:
    assert export_library(store, tmp_path / "all.zip") == len(NAMES)
    assert (tmp_path / "all.zip").stat().st_mode & 0o777 == 0o600
    other = ConceptStore(tmp_path / "other")
    done = import_library(other, tmp_path / "all.zip")
    assert (set(done.added), done.replaced, done.same, done.corrections) == (set(NAMES), (), (), 1)
    assert content(other) == content(store)
    assert Corrections(other.folder).all() == Corrections(store.folder).all()
    assert read_thresholds(other.folder) == read_thresholds(store.folder)
    again = import_library(other, tmp_path / "all.zip")
    assert (again.added, set(again.same), again.corrections) == ((), set(NAMES), 0)


def test_a_catalogue_is_exported_and_imported_alike(store: ConceptStore, tmp_path: Path) -> None:
    export_library(store, tmp_path / "all.zip")
    catalogue = Catalogue(tmp_path / "catalogue")
    import_library(catalogue, tmp_path / "all.zip")
    assert export_library(catalogue, tmp_path / "again.zip") == len(NAMES)
    last = ConceptStore(tmp_path / "last")
    import_library(last, tmp_path / "again.zip")
    assert content(last) == content(store)


def test_nothing_is_overwritten_unasked(store: ConceptStore, tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        export_library(store, tmp_path / "all.zip")
    export_library(store, tmp_path / "all.zip", replace=True)
    (tmp_path / "link.zip").symlink_to(tmp_path / "all.zip")
    with pytest.raises(InputError, match="is not replaced: it is a link"):
        export_library(store, tmp_path / "link.zip", replace=True)
    other = ConceptStore(tmp_path / "other")
    other.add(memory("bo", 1))
    before = content(other)
    with pytest.raises(DuplicateConceptError, match="'Bo'"):
        import_library(other, tmp_path / "all.zip")
    assert content(other) == before
    assert not Corrections(other.folder).all()
    done = import_library(other, tmp_path / "all.zip", replace=True)
    assert done.replaced == ("Bo",)
    assert dump(other.get("Bo")) == dump(store.get("Bo"))


def test_of_two_words_the_later_counts_and_of_two_thresholds_the_own(store: ConceptStore, tmp_path: Path) -> None:
    export_library(store, tmp_path / "all.zip")
    other = ConceptStore(tmp_path / "other")
    import_library(other, tmp_path / "all.zip")
    told = Corrections(other.folder)
    told.add(word(other, "Bo", "p1", there=False, when="2027-01-01"))
    told.add(word(other, "Bo", "p2", when="2025-01-01"))
    bo = other.get("Bo")
    write_thresholds(other.folder, Thresholds().with_concept(bo, 0.2))
    assert import_library(other, tmp_path / "all.zip").corrections == 0
    assert told.told(bo.identity, "p1") is False
    assert read_thresholds(other.folder).of(bo) == 0.2
    assert read_thresholds(other.folder).of(other.get("Zoe's bag")) == 0.6
    import_library(other, tmp_path / "all.zip", replace=True)
    assert read_thresholds(other.folder).of(bo) == 0.7


def test_an_empty_library_and_a_place_that_is_none(store: ConceptStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to export"):
        export_library(ConceptStore(tmp_path / "empty"), tmp_path / "all.zip")
    with pytest.raises(OutputError, match="cannot be written"):
        export_library(store, tmp_path / "nowhere" / "all.zip")


def test_a_damaged_archive_changes_nothing(store: ConceptStore, tmp_path: Path) -> None:
    archive = tmp_path / "all.zip"
    export_library(store, archive)
    whole = archive.read_bytes()
    draw = random.Random(0)
    for number in range(60):
        blob = bytearray(whole)
        if number % 2:
            blob = blob[: draw.randrange(1, len(blob))]
        else:
            for _ in range(20):
                blob[draw.randrange(len(blob))] ^= 1 << draw.randrange(8)
        archive.write_bytes(blob)
        other = ConceptStore(tmp_path / f"other-{number}")
        try:
            import_library(other, archive)
        except (InputError, DamagedMemoryError, DuplicateConceptError):
            assert not other.names()
        else:
            assert content(other) == content(store)


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({}, "no library"),
        ({"about.json": b'{"format": "ego-library", "version": 2, "concepts": 0}'}, "no library"),
        ({"about.json": b'{"format": "ego-library", "version": 1, "concepts": 3}'}, "holds 0 concepts and says 3"),
        (
            {
                "about.json": b'{"format": "ego-library", "version": 1, "concepts": 1}',
                "concepts/../../../../tmp/evil.ego": b"not a memory",
            },
            "damaged",
        ),
    ],
)
def test_archives_of_strangers_are_refused(tmp_path: Path, members: dict[str, bytes], complaint: str) -> None:
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        for name, blob in members.items():
            archive.writestr(name, blob)
    with pytest.raises((InputError, DamagedMemoryError), match=complaint):
        import_library(ConceptStore(tmp_path / "mine"), tmp_path / "odd.zip")
    assert not (tmp_path / "mine").exists()


def test_two_concepts_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        archive.writestr("about.json", '{"format": "ego-library", "version": 1, "concepts": 2}')
        archive.writestr("concepts/1.ego", dump(memory("Bo", 1)))
        archive.writestr("concepts/2.ego", dump(memory("bo", 2)))
    with pytest.raises(DamagedMemoryError, match="one name"):
        import_library(ConceptStore(tmp_path / "mine"), tmp_path / "odd.zip")


def test_a_single_concept_is_no_library(store: ConceptStore, tmp_path: Path) -> None:
    store.export("Bo", tmp_path / "bo.ego")
    with pytest.raises(InputError, match="ego concepts import"):
        import_library(store, tmp_path / "bo.ego")


def killed(work: Callable[[], object], seconds: float) -> bool:
    """Do something in a process of its own and kill it after a while; whether it was still at work."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_killed_exports_and_imports_leave_nothing_half(tmp_path: Path) -> None:
    store = ConceptStore(tmp_path / "mine")
    for number in range(24):
        store.add(memory(f"thing {number}", number))
    began = time.monotonic()
    export_library(store, tmp_path / "all.zip")
    export_seconds = time.monotonic() - began
    began = time.monotonic()
    import_library(ConceptStore(tmp_path / "whole"), tmp_path / "all.zip")
    import_seconds = time.monotonic() - began
    (tmp_path / "out").mkdir()
    at_work = 0
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        target = tmp_path / "out" / f"{share}.zip"
        at_work += killed(lambda target=target: export_library(store, target), share * export_seconds)
        assert [path.name for path in (tmp_path / "out").iterdir()] in ([], [target.name])
        if target.exists():
            assert len(import_library(ConceptStore(tmp_path / f"from {share}"), target).added) == 24
            target.unlink()
    other = ConceptStore(tmp_path / "other")
    for share in (0.3, 0.5, 0.6, 0.6):
        at_work += killed(lambda: import_library(other, tmp_path / "all.zip"), share * import_seconds)
        assert all(dump(other.get(name)) == dump(store.get(name)) for name in other.names())
    assert at_work, "every one was done before it was killed"
    done = import_library(other, tmp_path / "all.zip")
    assert len(done.added) + len(done.same) == 24
    assert content(other) == content(store)
