"""The store among processes: used by many, killed at any moment, on a full disk, without permission."""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from filelock import FileLock

import ego.store
from ego.errors import DuplicateConceptError, EgoError, StoreError
from ego.memory import ConceptMemory
from ego.store import ConceptStore
from tests.examples_of_memories import FINGERPRINT, RECORD, tokens_of

PROCESSES = multiprocessing.get_context("fork")  # quick; the children compute nothing heavy
DIM = 2048
ALWAYS = frozenset({"fixed", "replaced", "grown"})


def memory_full_of(name: str, value: float, count: int = 64) -> ConceptMemory:
    """Half a megabyte of one number, so that a mixture of two memories would show."""
    kept = {"candidates": count, "kept": tuple(range(count)), "boxes": (), "importance": (0.5,) * count}
    record = RECORD.model_copy(update=kept)
    return ConceptMemory(
        name=name,
        category="",
        notes="",
        tokens=tokens_of(torch.full((count, DIM), value)),
        views=(record,),
        fingerprint=FINGERPRINT.model_copy(update={"dim": DIM}),
        created="2026-01-01T00:00:00+00:00",
    )


def run(work: Callable[..., None], *arguments: object) -> BaseProcess:
    process = PROCESSES.Process(target=in_one_thread, args=(work, *arguments), daemon=True)
    process.start()
    return process


def in_one_thread(work: Callable[..., None], *arguments: object) -> None:
    torch.set_num_threads(1)  # the threads of torch's pool are not there in a forked process
    work(*arguments)


def ended(process: BaseProcess) -> int | None:
    """Wait for a process; its exit code, or None if it hangs."""
    process.join(120)
    return process.exitcode


def outcome(work: Callable[[], object]) -> str:
    """Do something in a child process; what it returned or which error came, as text."""
    receiver, sender = PROCESSES.Pipe(duplex=False)

    def report() -> None:
        try:
            sender.send(str(work()))
        except EgoError as error:
            sender.send(f"{type(error).__name__}: {error}")

    process = run(report)
    code = ended(process)
    return receiver.recv() if receiver.poll() else f"exit code {code}"


# -- killed at any moment


def change_for_ever(folder: Path, seed: int, started: object) -> None:
    """Change a store without end."""
    store, chance = ConceptStore(folder), random.Random(seed)
    while True:
        change(store, chance)
        started.set()


def change(store: ConceptStore, chance: random.Random) -> None:
    """Replace, rename, add a view, add or remove."""
    step = chance.randrange(5)
    if step == 0:
        store.add(memory_full_of("replaced", float(chance.randrange(100))), replace=True)
    elif step == 1:
        left = "left" in store.names()
        store.rename("left" if left else "right", "right" if left else "left")
    elif step == 2:
        store.add(memory_full_of("grown", 1.0), replace=True)
        store.add_view("grown", memory_full_of("grown", 1.0))
    elif "passing" in store.names():
        store.remove("passing")
    else:
        store.add(memory_full_of("passing", 5.0))


def kill_while_changing(folder: Path, seed: int, how: signal.Signals) -> int:
    """Let a process change a store, and end it; how many unfinished files it leaves."""
    started = PROCESSES.Event()
    process = run(change_for_ever, folder, seed, started)
    assert started.wait(60)
    time.sleep(random.Random(seed).random() * 0.1)
    for _ in range(20):  # an interrupt that arrives inside a finalizer is lost: Python reports it and goes on
        os.kill(process.pid, how)
        process.join(6)
        if process.exitcode is not None:
            break
    assert ended(process) is not None
    return len(list(folder.glob(".*.unfinished")))


def check_whole(store: ConceptStore) -> None:
    found = {memory.name: memory for memory in store.load_all().memories}
    assert store.load_all().skipped == ()
    assert found.keys() - {"passing"} in (ALWAYS | {"left"}, ALWAYS | {"right"})
    assert all(len(memory.tokens.rows.unique()) == 1 for memory in found.values())


@pytest.mark.thorough
@pytest.mark.parametrize(("how", "times"), [(signal.SIGKILL, 15), (signal.SIGINT, 6)])
def test_a_store_survives_being_killed_at_any_moment(tmp_path: Path, how: signal.Signals, times: int) -> None:
    store = ConceptStore(tmp_path)
    for name in ALWAYS | {"left"}:
        store.add(memory_full_of(name, 1.0))
    fixed, leftovers = store.get("fixed"), []
    while len(leftovers) < times:
        leftovers.append(kill_while_changing(tmp_path, len(leftovers), how))
        check_whole(store)
    assert store.get("fixed") is fixed
    assert how == signal.SIGKILL or not any(leftovers)  # a kill may hit the moment between naming and renaming
    store.add(memory_full_of("last", 1.0))
    assert list(tmp_path.glob(".*.unfinished")) == []


def hold_lock(folder: Path, ready: object) -> None:
    with FileLock(folder / ".lock"):
        ready.set()
        time.sleep(600)


def test_a_held_lock_is_reported_and_goes_with_its_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = PROCESSES.Event()
    holder = run(hold_lock, tmp_path, ready)
    assert ready.wait(30)
    store = ConceptStore(tmp_path)
    monkeypatch.setattr(ego.store, "LOCK_SECONDS", 0.1)
    with pytest.raises(StoreError, match="another process has been changing"):
        store.add(memory_full_of("Bo", 1.0))
    assert store.names() == ()  # reading needs no lock
    holder.kill()
    assert ended(holder) == -signal.SIGKILL
    store.add(memory_full_of("Bo", 1.0))
    assert store.names() == ("Bo",)


# -- used by many


def add_six(folder: Path, number: int, wins: object) -> None:
    store = ConceptStore(folder)
    for turn in range(6):
        store.add(memory_full_of(f"{number}-{turn}", float(number), count=2))
        store.add_view("common", memory_full_of("common", 1.0, count=1))
    try:
        store.add(memory_full_of("wanted by all", float(number)))
    except DuplicateConceptError:
        return
    with wins.get_lock():
        wins.value += 1


def test_no_change_of_several_processes_is_lost(tmp_path: Path) -> None:
    store, wins = ConceptStore(tmp_path), PROCESSES.Value("i", 0)
    store.add(memory_full_of("common", 1.0, count=1))
    workers = [run(add_six, tmp_path, number, wins) for number in range(4)]
    assert [ended(worker) for worker in workers] == [0] * 4
    assert wins.value == 1
    assert set(store.names()) == {"common", "wanted by all", *(f"{a}-{b}" for a in range(4) for b in range(6))}
    assert len(store.get("common").views) == 1 + 4 * 6
    assert store.load_all().skipped == ()


def test_threads_may_share_a_store(tmp_path: Path) -> None:
    store = ConceptStore(tmp_path)

    def work(number: int) -> int:
        store.add(memory_full_of(f"{number}", float(number), count=2))
        return len(store.names()) + len(store.load_all().skipped)

    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(work, range(24)))
    assert set(store.names()) == {str(number) for number in range(24)}
    assert max(seen) == 24


# -- a full disk


def is_unharmed(store: ConceptStore) -> bool:
    fresh = ConceptStore(store.folder).load_all()
    return [memory.name for memory in fresh.memories] == ["Bo"] and fresh.skipped == ()


def test_a_limit_on_file_size_leaves_the_store_unharmed(tmp_path: Path) -> None:
    store = ConceptStore(tmp_path)
    store.add(memory_full_of("Bo", 1.0, count=1))

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        store.add(memory_full_of("Ada", 2.0))

    assert outcome(fill).startswith("StoreError: ")
    assert is_unharmed(store)
    assert len(list(tmp_path.glob("*.ego"))) == 1
    assert list(tmp_path.glob(".*.unfinished")) == []


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("no small disk: mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_store_unharmed(tmp_path: Path) -> None:
    with small_disk(tmp_path):
        store = ConceptStore(tmp_path / "concepts")
        store.add(memory_full_of("Bo", 1.0, count=4))
        before = shutil.disk_usage(tmp_path).free
        for change in (
            lambda: store.add(memory_full_of("Ada", 2.0)),
            lambda: store.add(memory_full_of("Bo", 2.0), replace=True),
            lambda: store.add_view("Bo", memory_full_of("Bo", 2.0)),
        ):
            with pytest.raises(StoreError, match=r"No space left on device.*free space; nothing was changed"):
                change()
            assert is_unharmed(store)
            assert shutil.disk_usage(tmp_path).free == before
        (tmp_path / "filler").write_bytes(bytes(before))
        store.remove("Bo")  # removing needs no room
        assert store.names() == ()


# -- no permission


@pytest.fixture
def nobodys_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder / "concepts"
    (folder / "concepts").chmod(0o755)
    shutil.rmtree(folder)


def as_nobody(work: Callable[[], object]) -> str:
    def leave_root() -> object:
        if os.geteuid() == 0:
            os.setuid(65534)
        return work()

    return outcome(leave_root)


def test_without_permission(nobodys_folder: Path) -> None:
    store = ConceptStore(nobodys_folder)
    store.add(memory_full_of("Bo", 1.0))
    (file,) = store.folder.glob("*.ego")
    file.chmod(0o644)
    store.folder.chmod(0o555)
    assert "Permission denied" in as_nobody(lambda: store.add(memory_full_of("Ada", 1.0)))
    assert "Permission denied" in as_nobody(lambda: store.remove("Bo"))
    assert as_nobody(store.names) == "('Bo',)"
    store.folder.chmod(0o000)
    message = as_nobody(lambda: ConceptStore(nobodys_folder / "inside"))
    assert message.startswith("StoreError: ")
    assert as_nobody(store.names).startswith("StoreError: ")
    store.folder.chmod(0o755)
    file.chmod(0o000)
    assert "Permission denied" in as_nobody(lambda: ConceptStore(nobodys_folder).load_all().skipped)
