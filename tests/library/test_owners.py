"""Private libraries side by side."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ego.errors import InputError, StoreError
from ego.library.owners import Owners, _folder_name, _owner_of
from tests.examples_of_memories import memory_of

OWNERS = ("ann", "Ann", "bo@example.org", "../ann", "con", "a/b", "имя", "🐕")


def test_each_owner_sees_only_their_own(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "root")
    for owner in OWNERS:
        owners.library(owner).add(memory_of(f"of {owner.strip('./')}"))
    again = Owners(tmp_path / "root")
    assert again.names() == tuple(sorted(OWNERS))
    assert all(again.library(owner).names() == (f"of {owner.strip('./')}",) for owner in OWNERS)
    assert {path.parent.parent for path in tmp_path.rglob("*.ego")} == {tmp_path / "root"}


def test_an_unknown_owner_has_an_empty_library_and_no_folder(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "root")
    assert owners.library("ann").names() == ()
    assert "ann" not in owners
    assert owners.names() == ()
    assert not owners.root.exists()


def test_remove_forgets_one_owner_alone(tmp_path: Path) -> None:
    owners = Owners(tmp_path)
    for owner in ("ann", "bo"):
        owners.library(owner).add(memory_of("Cup"))
    held = owners.library("ann")
    owners.remove("ann")
    owners.remove("ann")
    assert owners.names() == ("bo",)
    assert held.names() == owners.library("ann").names() == ()
    assert owners.library("bo").names() == ("Cup",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["of-bo"]


def test_what_a_killed_removal_left_is_cleared(tmp_path: Path) -> None:
    owners = Owners(tmp_path)
    owners.library("ann").add(memory_of("Cup"))
    (tmp_path / "of-ann").rename(tmp_path / ".gone-0123")
    assert Owners(tmp_path).names() == ()
    assert not list(tmp_path.iterdir())


def test_only_so_many_stay_open(tmp_path: Path) -> None:
    owners = Owners(tmp_path, keep_open=2)
    first, second = owners.library("a"), owners.library("b")
    assert owners.library("a") is first
    owners.library("c")
    assert owners.library("a") is first
    assert owners.library("b") is not second


def test_threads_open_one_library_once(tmp_path: Path) -> None:
    owners, found = Owners(tmp_path), []
    threads = [threading.Thread(target=lambda: found.append(owners.library("ann"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_folder_names_are_safe_and_never_collide(one: str, other: str) -> None:
    try:
        names = _folder_name(one), _folder_name(other)
    except InputError:
        return
    assert (_owner_of(names[0]), _owner_of(names[1])) == (one, other)
    assert (names[0] == names[1]) == (one == other)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-=") for name in names)


@pytest.mark.parametrize("owner", ["", "  ", "a\nb", "\u202e", "x" * 300])
def test_unusable_ids(owner: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="owner id"):
        Owners(tmp_path).library(owner)


def test_unusable_roots(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is a file"):
        Owners(tmp_path / "file")
    with pytest.raises(InputError, match="at least one"):
        Owners(tmp_path, keep_open=0)
