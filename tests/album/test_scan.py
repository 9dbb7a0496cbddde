"""Scanning an album with the embedded model: new and changed files only, killed and resumed, problems left out."""

import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from ego import Concept, ConceptStore, Ego
from ego.album.files import list_pictures
from ego.album.find import Question, counts, find
from ego.album.index import AlbumIndex
from ego.album.scan import Progress, scan, taken
from ego.backbones import load_backbone
from ego.demo.pictures import shipped_pictures
from ego.errors import InputError, StoreError, UnknownConceptError
from ego.thresholds import Thresholds, write_thresholds
from tests.album.albums import content

PICTURES = shipped_pictures().folder
PATIENCE = 240.0  # seconds; importing torch on a busy machine takes its time


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that knows Bo and a bag; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("made-once") / "library"
    personal = Ego(load_backbone("mini"), ConceptStore(folder))
    for name in ("Bo", "Zoe's bag"):
        stem = "bo" if name == "Bo" else "zoes-bag"
        personal.introduce(Concept(name, [PICTURES / f"{stem}-1.jpg"]))
    return folder


@pytest.fixture
def personal(library: Path, tmp_path: Path) -> Ego:
    return Ego(load_backbone("mini"), ConceptStore(shutil.copytree(library, tmp_path / "library")))


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Six scenes, two in a folder below; beside them what is no picture, and what a NAS leaves."""
    folder = tmp_path / "album"
    (folder / "below").mkdir(parents=True)
    for number in range(1, 7):
        shutil.copy(PICTURES / f"scene-0{number}.jpg", folder / "below" if number > 4 else folder)
    (folder / "notes.txt").write_text("no picture")
    (folder / "@eaDir").mkdir()
    shutil.copy(PICTURES / "scene-01.jpg", folder / "@eaDir" / "preview.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not much")
    return folder


def index_of(personal: Ego) -> AlbumIndex:
    return AlbumIndex(personal.store.folder)


def test_pictures_are_listed_in_order_without_what_is_none(album: Path) -> None:
    listing = list_pictures([album])
    names = [Path(file.path).relative_to(album).as_posix() for file in listing.files]
    assert names == [
        "below/scene-05.jpg",
        "below/scene-06.jpg",
        "broken.jpg",
        *(f"scene-0{n}.jpg" for n in range(1, 5)),
    ]
    assert not listing.unreadable
    with pytest.raises(InputError, match="no folder"):
        list_pictures([album / "scene-01.jpg"])


def test_answers_are_those_of_recognize_and_problems_are_listed(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    summary = scan(personal, index, [album])
    assert (summary.looked, summary.unchanged, summary.gone) == (7, 0, 0)
    assert [Path(path).name for path, _ in summary.problems] == ["broken.jpg"]
    entries = {Path(entry.path).name: entry for entry in index.entries()}
    assert "neither an image" in entries["broken.jpg"].problem
    names = index.names()
    assert set(names.values()) == {"Bo", "Zoe's bag"}
    for name in ("scene-01.jpg", "scene-05.jpg"):
        told = personal.recognize(entries[name].path)
        kept = {names[find.concept]: find.probability for find in entries[name].finds.values()}
        assert kept == pytest.approx({one.name: one.probability for one in told.values()}, abs=1e-5)


def test_only_new_and_changed_pictures_are_looked_at(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    scan(personal, index, [album])
    assert scan(personal, index, [album]).looked == 0
    shutil.copy(PICTURES / "scene-07.jpg", album)
    Image.new("RGB", (64, 64), "red").save(album / "scene-02.jpg")
    (album / "scene-03.jpg").unlink()
    summary = scan(personal, index, [album])
    assert (summary.looked, summary.gone) == (2, 1)
    assert {Path(entry.path).name for entry in index.entries()} >= {"scene-07.jpg", "scene-02.jpg"}
    assert "scene-03.jpg" not in {Path(entry.path).name for entry in index.entries()}


def test_a_folder_that_was_not_scanned_this_time_keeps_its_pictures(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    scan(personal, index, [album])
    assert scan(personal, index, [album / "below"]).gone == 0
    assert len(content(index)) == 7


def test_another_concept_means_another_look_and_a_new_name_does_too(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    scan(personal, index, [album / "below"])
    personal.introduce(Concept("Teapot", [PICTURES / "nanas-teapot-1.jpg"]))
    assert scan(personal, index, [album / "below"]).looked == 2
    personal.forget("Teapot")
    scan(personal, index, [album / "below"])
    assert set(index.names().values()) == {"Bo", "Zoe's bag"}
    assert all(len(entry.finds) == 2 for entry in index.entries())


class CutError(Exception):
    """Stands for whatever ends a scan."""


def test_a_scan_cut_off_anywhere_ends_as_an_unbroken_one(personal: Ego, album: Path, tmp_path: Path) -> None:
    unbroken = AlbumIndex(tmp_path / "other")
    scan(personal, unbroken, [album])

    def cut(progress: Progress) -> None:
        if progress.done == 2:
            raise CutError

    index = index_of(personal)
    for _ in range(2):
        with pytest.raises(CutError):
            scan(personal, index, [album], on_progress=cut)
    assert scan(personal, index, [album]).looked == 3
    assert content(index) == content(unbroken)


@pytest.mark.thorough
def test_a_killed_scan_goes_on_where_it_stood(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    ego = [sys.executable, "-c", "from ego.cli import main; main()"]
    command = [*ego, "scan", str(album), "--library", str(personal.store.folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while not (index.exists and _recorded(index.path)) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    summary = scan(personal, index, [album])
    assert summary.looked + summary.unchanged == 7
    assert len(content(index)) == 7


def _recorded(path: Path) -> bool:
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as base:
            return bool(base.execute("select count(*) from pictures where asked != ''").fetchone()[0])
    except sqlite3.Error:
        return False


def test_an_album_needs_a_concept(album: Path, tmp_path: Path) -> None:
    personal = Ego(load_backbone("mini"), ConceptStore(tmp_path / "empty"))
    with pytest.raises(InputError, match="introduce one"):
        scan(personal, index_of(personal), [album])


def test_a_damaged_index_is_said_to_be_one(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    index.path.write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="remove it and scan again"):
        scan(personal, index, [album])


def test_the_index_is_for_its_owner_alone(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    scan(personal, index, [album / "below"])
    assert (index.path.stat().st_mode & 0o777) == 0o600


def test_the_index_is_read_and_written_by_any_thread(tmp_path: Path) -> None:
    index = AlbumIndex(tmp_path)
    index.call({"1": "Bo"}, "mini")
    with ThreadPoolExecutor(1) as other:
        assert other.submit(index.names).result() == {"1": "Bo"}
        other.submit(index.call, {"2": "Ted"}, "mini").result()
    assert index.names() == {"2": "Ted"}


def test_find_answers_who_with_whom_and_when(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    with pytest.raises(InputError, match="ego scan"):
        find(index, Question())
    scan(personal, index, [album])
    everything = find(index, Question(threshold=0.0))
    assert len(everything) == 6
    assert counts(everything) == {"Bo": 6, "Zoe's bag": 6}
    some = find(index, Question(names=("bo",)))
    scenes = [path for path in album.rglob("scene-*.jpg") if "@eaDir" not in path.parts]
    assert {match.path for match in some} == {str(path) for path in scenes if personal.recognize(path)["Bo"].present}
    both = find(index, Question(names=("Bo", "Zoe's bag")))
    alone = find(index, Question(names=("Bo",), without=("Zoe's bag",)))
    assert len(both) + len(alone) == len(some)
    assert not find(index, Question(threshold=0.0, until=date(1999, 1, 1)))
    assert len(find(index, Question(threshold=0.0, since=date(1999, 1, 1)))) == 6
    with pytest.raises(UnknownConceptError, match="did you mean 'Bo'"):
        find(index, Question(names=("Boo",)))


def test_corrections_are_heard_without_another_scan(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    scan(personal, index, [album / "below"])
    before = find(index, Question(names=("Bo",), threshold=0.0))
    path = before[0].path
    there = all(one.probability < 0.5 for one in before[0].seen if one.name == "Bo")
    personal.correct("Bo", path, there=there)
    told = {
        match.path: {one.name: one.probability for one in match.seen} for match in find(index, Question(threshold=0.0))
    }
    assert told[path]["Bo"] == float(there)
    for other, probabilities in told.items():
        assert probabilities["Bo"] == pytest.approx(personal.recognize(other)["Bo"].probability, abs=1e-5)
    assert scan(personal, index, [album / "below"]).looked == 0
    personal.corrections.undo()
    assert find(index, Question(names=("Bo",), threshold=0.0)) == before


def test_thresholds_that_were_learnt_are_heeded_without_another_scan(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    scan(personal, index, [album / "below"])
    bo = personal.store.get("Bo")
    for learnt, found in ((1.0, 0), (0.0, 2)):
        write_thresholds(personal.store.folder, Thresholds().with_concept(bo, learnt))
        assert counts(find(index, Question(otherwise=0.0))) == {"Zoe's bag": 2} | ({"Bo": 2} if found else {})
        assert all(personal.recognize(entry.path)["Bo"].present == bool(found) for entry in index.entries())
        assert counts(find(index, Question(threshold=0.0))) == {"Bo": 2, "Zoe's bag": 2}
    write_thresholds(personal.store.folder, Thresholds().with_library(bo.fingerprint, 1.0))
    assert not find(index, Question(otherwise=0.0))
    personal.store.rename("Bo", "Beau")
    write_thresholds(personal.store.folder, Thresholds().with_concept(bo, 0.0))
    assert len(find(index, Question(names=("Bo",), otherwise=1.0))) == 2


def test_what_was_seen_has_a_box(personal: Ego, album: Path) -> None:
    index = index_of(personal)
    scan(personal, index, [album])
    boxes = [one.box for match in find(index, Question()) for one in match.seen]
    assert boxes
    assert all(box is not None and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1 for box in boxes)


@pytest.mark.filterwarnings("error")
def test_when_a_photo_was_taken(tmp_path: Path) -> None:
    """Of photos of 200 megapixels, too, of which Pillow by itself warns or refuses to read a word."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:12:31 23:59:58"
    photo = tmp_path / "large.jpg"
    Image.new("RGB", (64, 48)).save(photo, exif=exif)
    content = bytearray(photo.read_bytes())
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", 12240, 16320)
    photo.write_bytes(bytes(content))
    assert taken(str(photo)) == "2024-12-31T23:59:58"
    photo.write_bytes(b"\xff\xd8\xff no photo")
    os.utime(photo, (0, 1_700_000_000))
    assert taken(str(photo)) == datetime.fromtimestamp(1_700_000_000).isoformat()
