"""What is the user's stays theirs: modes of files, nothing left behind, nothing of theirs replaced or passed on."""

import io
import os
import random
import signal
import time
from pathlib import Path

import pytest
from PIL import Image

from ego.atomic_file import NotReplacedError, make_folder, write_file
from ego.errors import InputError, UnknownConceptError
from ego.footage import query_frames
from ego.media import read_image, thumbnail
from ego.store import ConceptStore
from tests.examples_of_memories import memory_of
from tests.test_store_shared import ended, memory_full_of, run


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o7777


def only_file(folder: Path) -> Path:
    (file,) = folder.glob("*.ego")
    return file


# -- modes


def test_a_library_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        store = ConceptStore(tmp_path / "mine" / "concepts")
        store.add(memory_of("Bo"))
        store.export("Bo", tmp_path / "bo.ego")
    finally:
        os.umask(umask)
    assert (mode(store.folder.parent), mode(store.folder)) == (0o700, 0o700)
    assert {path.name: mode(path) for path in store.folder.iterdir()} == {
        only_file(store.folder).name: 0o600,
        ".lock": 0o600,
    }
    assert mode(tmp_path / "bo.ego") == 0o600


@pytest.mark.parametrize("chosen", [0o400, 0o644, 0o640])
def test_a_mode_that_is_there_is_kept(tmp_path: Path, chosen: int) -> None:
    tmp_path.chmod(0o755)
    store = ConceptStore(tmp_path)
    store.add(memory_of("Bo"))
    only_file(tmp_path).chmod(chosen)
    store.rename("Bo", "Max")
    assert mode(only_file(tmp_path)) == chosen
    assert mode(tmp_path) == 0o755


def test_folders_above_are_made_one_by_one_and_an_old_one_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    make_folder(tmp_path / "a" / "b" / "c")
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o755, 0o700, 0o700]
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"exists|directory"):
        make_folder(tmp_path / "file" / "b")


# -- nothing of the user's is replaced


def put(path: Path, kind: str) -> None:
    if kind == "link":
        (path.parent / "precious").write_bytes(b"precious")
        path.symlink_to(path.parent / "precious")
    elif kind == "dangling link":
        path.symlink_to(path.parent / "nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_only_regular_files_are_replaced(tmp_path: Path, kind: str) -> None:
    store = ConceptStore(tmp_path / "library")
    store.add(memory_of("Bo"))
    put(tmp_path / "bo.ego", kind)
    before = (tmp_path / "bo.ego").lstat()
    with pytest.raises(InputError, match=r"bo\.ego"):
        store.export("Bo", tmp_path / "bo.ego")
    with pytest.raises(InputError, match=r"bo\.ego"):
        store.export("Bo", tmp_path / "bo.ego", replace=True)
    assert (tmp_path / "bo.ego").lstat() == before
    with pytest.raises(NotReplacedError):
        write_file(tmp_path / "bo.ego", b"x")
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".unfinished")]
    if kind == "link":
        assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_device_is_not_replaced() -> None:
    store = ConceptStore(Path(os.devnull).parent / "shm" / "no-such-library")
    with pytest.raises(NotReplacedError, match="a device"):
        write_file(Path(os.devnull), b"x")
    assert store.names() == ()


def export_for_ever(folder: Path, started: object) -> None:
    store, number = ConceptStore(folder / "library"), 0
    while True:
        store.export("Bo", folder / f"{os.getpid()}-{number}.ego")
        number += 1
        started.set()


def test_a_killed_export_leaves_nothing_half_written(tmp_path: Path) -> None:
    from tests.test_store_shared import PROCESSES

    store = ConceptStore(tmp_path / "library")
    store.add(memory_full_of("Bo", 1.0))
    for seed in range(8):
        started = PROCESSES.Event()
        process = run(export_for_ever, tmp_path, started)
        assert started.wait(60)
        time.sleep(random.Random(seed).random() * 0.05)
        os.kill(process.pid, signal.SIGKILL)
        assert ended(process) is not None
    exported = [path for path in tmp_path.iterdir() if path.is_file()]
    assert all(path.suffix == ".ego" and path.name[0] != "." for path in exported)
    whole = only_file(store.folder).read_bytes()
    assert all(path.read_bytes() == whole for path in exported)
    assert len(exported) >= 8


def test_a_file_system_without_nameless_files_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    write_file(tmp_path / "a", b"one")
    write_file(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert (mode(tmp_path / "a"), [path.name for path in tmp_path.iterdir()]) == (0o600, ["a"])


# -- a library stays usable


def test_stray_things_do_not_make_a_library_unusable(tmp_path: Path) -> None:
    store = ConceptStore(tmp_path)
    store.add(memory_of("Bo"))
    (tmp_path / "loop.ego").symlink_to(tmp_path / "loop.ego")
    (tmp_path / ".a.unfinished").mkdir()
    (tmp_path / "folder.ego").mkdir()
    os.mkfifo(tmp_path / "pipe.ego")
    assert store.names() == ("Bo",)
    store.add(memory_of("Max"))
    store.rename("Max", "Ada")
    assert set(store.names()) == {"Bo", "Ada"}


def test_a_damaged_memory_is_removed_by_the_name_that_is_shown(tmp_path: Path) -> None:
    store = ConceptStore(tmp_path)
    store.add(memory_of("Bo"))
    (tmp_path / "broken.ego").write_bytes(b"no memory")
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    (skipped,) = store.load_all().skipped
    with pytest.raises(UnknownConceptError):
        store.remove(skipped.file, "photo.jpg")
    assert store.remove(skipped.file, "bo", "BO") == ("broken.ego", "Bo")
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["photo.jpg"]


def test_a_file_rewritten_in_place_with_its_old_time_is_read_anew(tmp_path: Path) -> None:
    store = ConceptStore(tmp_path)
    store.add(memory_of("Bo"))
    file, before = only_file(tmp_path), only_file(tmp_path).stat()
    assert store.names() == ("Bo",)
    other = ConceptStore(tmp_path / "other")
    other.add(memory_of("Al"))
    with file.open("r+b") as open_file:
        open_file.write(only_file(other.folder).read_bytes())
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert store.names() == ("Al",)


# -- pictures and thumbnails


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "PNG", "TIFF", "WEBP", "AVIF"])
def test_nothing_but_pixels_of_a_photo_goes_on(kind: str) -> None:
    """Else heat-maps, galleries and reports would be saved with comments and places, and turned once more."""
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "taken at home", 6
    extra = {"GIF": {"comment": b"home"}, "JPEG": {"comment": b"home", "exif": exif}}.get(kind, {"exif": exif})
    first, second = Image.new("RGB", (32, 16), "red"), Image.new("RGB", (32, 16), "blue")
    for more in ({}, {"save_all": True, "append_images": [second]} if kind in {"GIF", "PNG", "WEBP", "AVIF"} else {}):
        blob = io.BytesIO()
        first.save(blob, kind, **extra, **more)
        for frame in query_frames(blob.getvalue(), 2):
            assert not frame.picture.info
            assert read_image(frame.picture).picture.size == frame.picture.size


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "PNG", "TIFF", "WEBP"])
def test_thumbnails_carry_pixels_only(tmp_path: Path, kind: str) -> None:
    picture, secret = Image.new("RGB", (300, 200), "red"), b"taken at home"
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    extra = {"comment": secret} if kind in ("JPEG", "GIF") else {"exif": exif.tobytes()} if kind != "TIFF" else {}
    picture.save(tmp_path / f"photo.{kind}", kind, dpi=(72, 72), **extra)
    small = thumbnail(read_image(tmp_path / f"photo.{kind}").picture)
    assert secret not in small
    with Image.open(io.BytesIO(small)) as shown:
        assert shown.size == (128, 85)
        assert not set(shown.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
