"""`ego scan`, `find` and `watch` as they are typed."""

import json
import shutil
import sys
import threading
from pathlib import Path

import pytest

from ego import Concept, ConceptStore, Ego
from ego.album.files import list_pictures
from ego.album.scan import Summary
from ego.album.sidecar import keywords
from ego.album.watch import keep_up
from ego.backbones import load_backbone
from ego.demo.pictures import shipped_pictures
from tests.command import Run, runner

PICTURES = shipped_pictures().folder


@pytest.fixture
def ego(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EGO_LIBRARY", str(tmp_path / "library"))
    monkeypatch.delenv("EGO_MODEL", raising=False)
    return runner(monkeypatch, capsys)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    Ego(load_backbone("mini"), ConceptStore(tmp_path / "library")).introduce(Concept("Bo", [PICTURES / "bo-1.jpg"]))
    folder = tmp_path / "album"
    folder.mkdir()
    for number in (1, 2):
        shutil.copy(PICTURES / f"scene-0{number}.jpg", folder)
    return folder


def test_scan_find_and_hand_on(ego: Run, album: Path, tmp_path: Path) -> None:
    assert ego("find", "Bo").code == 2
    (album / "broken.png").write_bytes(b"broken")
    scanned = ego("scan", album, "--json")
    assert scanned.code == 0
    assert (scanned.document["looked"], len(scanned.document["problems"])) == (3, 1)
    assert "broken.png" in scanned.err
    assert "3 known already" in ego("scan", album).out
    done = ego(
        *("find", "bo", "--threshold", "0", "--json", "--csv", tmp_path / "table.csv", "--jsonl", tmp_path / "t.jsonl"),
        *("--gallery", tmp_path / "page", "--link-to", tmp_path / "links", "--copy-to", tmp_path / "copies"),
        *("--sidecars", "appended"),
    )
    assert done.code == 0
    assert [Path(match["path"]).name for match in done.document] == ["scene-01.jpg", "scene-02.jpg"]
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 3
    assert len([json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]) == 2
    assert (tmp_path / "page" / "index.html").is_file()
    assert (tmp_path / "links" / "scene-01.jpg").is_symlink()
    assert (tmp_path / "copies" / "scene-02.jpg").read_bytes() == (PICTURES / "scene-02.jpg").read_bytes()
    assert keywords(album / "scene-01.jpg.xmp") == ("Bo",)
    for option, target in (("--csv", album / "scene-02.jpg"), ("--jsonl", album), ("--gallery", tmp_path / "page")):
        done = ego("find", "Bo", option, target)
        assert (done.code, str(target) in done.err) == (2, True)
    assert (album / "scene-02.jpg").read_bytes() == (PICTURES / "scene-02.jpg").read_bytes()
    assert ego("find", "Bo", "--gallery", tmp_path / "page", "--replace").code == 0
    assert ego("find", "Bo", "--threshold", "1", "--sidecars", "appended").code == 0
    assert keywords(album / "scene-01.jpg.xmp") == ()


def test_a_path_that_was_found_can_be_given_to_the_next_command(
    ego: Run, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    deep = album / ("a folder of many photos, " * 4).strip()
    deep.mkdir()
    shutil.copy(PICTURES / "scene-01.jpg", deep)
    assert ego("scan", album).code == 0
    assert str(deep / "scene-01.jpg") in ego("find", "Bo", "--threshold", "0").out
    monkeypatch.chdir(album)
    shown = ego("find", "Bo", "--threshold", "0").out
    assert str(Path(deep.name, "scene-01.jpg")) in shown
    assert str(album) not in shown


def test_wrong_use_is_said_before_a_model_is_loaded(ego: Run, album: Path, tmp_path: Path) -> None:
    done = ego("scan", tmp_path / "nowhere", "--model", tmp_path / "no-model")
    assert (done.code, "is no folder" in done.err) == (2, True)
    for command in (("scan", album), ("watch", album), ("find", "Bo"), ("correct", "--undo")):
        done = ego(*command, "--library", tmp_path / "libary")
        assert (done.code, "no library at" in done.err) == (5, True)
    assert not (tmp_path / "libary").exists()
    assert ego("scan", album).code == 0
    assert ego("find", "--sidecars", "sideways").code == 2
    assert ego("find", "Bob").code == 3
    assert ego("find", "Bo", "--since", "tomorrow").code == 2


def test_a_word_of_the_user_is_heard_and_taken_back(ego: Run, album: Path) -> None:
    ego("scan", album)
    photo = album / "scene-01.jpg"
    assert ego("correct", "Bo", photo).code == 2
    assert ego("correct", "--undo").code == 2
    done = ego("correct", "bo", photo, "--no", "--json")
    assert (done.code, done.document[0]["there"]) == (0, False)
    assert str(photo) not in {match["path"] for match in ego("find", "Bo", "--threshold", "0.01", "--json").document}
    ego("correct", "Bo", photo, "--yes")
    assert str(photo) in {match["path"] for match in ego("find", "Bo", "--threshold", "1", "--json").document}
    assert f"your yes about {photo}" in ego("correct", "--undo").out
    assert ego("correct", "--undo", "Bo").code == 2


def test_nothing_found_is_no_error(ego: Run, album: Path) -> None:
    ego("scan", album)
    done = ego("find", "--until", "1990-01-01", "--json")
    assert (done.code, done.document) == (0, [])


@pytest.mark.skipif(sys.platform == "win32", reason="uses a link")
def test_watching_answers_new_pictures_and_new_folders(tmp_path: Path) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    stop, counted = threading.Event(), []

    def count() -> Summary:
        return Summary(len(list_pictures([folder]).files), 0, 0, (), 0.0)

    timer = threading.Timer(120.0, stop.set)  # a test that hangs shall fail instead
    timer.start()
    for summary in keep_up([folder], count, stop=stop):
        counted.append(summary.looked)
        if len(counted) == 1:
            shutil.copy(PICTURES / "scene-01.jpg", folder)
            (folder / "notes.txt").write_text("no picture")
        elif counted[-1] == 1:
            ready = tmp_path / "ready"
            ready.mkdir()
            shutil.copy(PICTURES / "scene-02.jpg", ready)
            ready.rename(folder / "more")
        elif counted[-1] == 2:
            stop.set()
    timer.cancel()
    assert counted[0] == 0
    assert counted[-1] == 2
