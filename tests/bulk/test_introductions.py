"""A manifest of concepts becomes a library."""

import json
from pathlib import Path

import pytest

from ego.bulk.introductions import Model, introduce_all
from ego.bulk.jobs import ThisProcess
from ego.bulk.manifest import read_concepts
from ego.config import EgoConfig
from ego.demo.pictures import shipped_pictures
from ego.errors import InputError
from ego.store import ConceptStore
from tests.command import Run, runner

pytestmark = pytest.mark.thorough

PICTURES = shipped_pictures().folder
MODEL = Model("mini", "cpu", EgoConfig(description_tokens=4))
PHOTOS = sorted(path.name for path in PICTURES.glob("*-1.jpg"))[:3]


@pytest.fixture
def ego(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


def write_manifest(folder: Path, *more: object) -> Path:
    for photo in PHOTOS:
        (folder / photo).write_bytes((PICTURES / photo).read_bytes())
    lines: list[object] = [{"name": photo.split("-")[0], "images": [photo], "category": "drawn"} for photo in PHOTOS]
    path = folder / "concepts.jsonl"
    path.write_text("\n".join(map(json.dumps, [*lines, *more])) + "\n\n")
    return path


def test_a_manifest_as_people_write_it(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path)
    (tmp_path / PHOTOS[0]).rename(tmp_path / "Zo\u00eb.jpg")
    manifest.write_text(json.dumps({"name": "Zo", "images": "Zoe\u0308.jpg", "category": None}), encoding="utf-16")
    lines, store = read_concepts(manifest), ConceptStore(tmp_path / "library")
    assert introduce_all(lines, tmp_path, MODEL, ThisProcess(MODEL), store).progress.written == 1
    assert store.names() == ("Zo",)


def test_a_library_in_the_order_of_the_manifest_and_nothing_twice(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"name": "boxed", "images": [PHOTOS[0]], "boxes": [[10, 10, 90, 90]]})
    lines, store = read_concepts(manifest), ConceptStore(tmp_path / "library")
    report = introduce_all(lines, tmp_path, MODEL, ThisProcess(MODEL), store)
    assert (report.progress.written, report.failures) == (4, ())
    assert store.names() == (*(photo.split("-")[0] for photo in PHOTOS), "boxed")
    assert store.get("boxed").views[0].description_by == "region"
    store.remove("boxed")
    again = introduce_all(lines, tmp_path, MODEL, ThisProcess(MODEL), store)
    assert (again.progress.already, again.progress.written) == (3, 1)


def test_the_command(ego: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_text("no photo")
    manifest = write_manifest(tmp_path, {"name": "broken", "images": ["broken.jpg"]})
    arguments = ("introduce", "--manifest", manifest, "--library", tmp_path / "library", "--json")
    done = ego(*arguments)
    assert done.code == 1
    assert (done.document["introduced"], done.document["already"]) == (3, 0)
    assert [one["name"] for one in done.document["failed"]] == ["broken"]
    assert "ImageError" in done.document["failed"][0]["error"]
    again = ego(*arguments)
    assert (again.document["introduced"], again.document["already"]) == (0, 3)


def test_a_line_that_is_no_concept_is_left_out_and_listed(ego: Run, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"name": "gone", "images": ["gone.jpg"]}, {"name": "odd", "photo": 1}, "words")
    done = ego("introduce", "--manifest", manifest, "--library", tmp_path / "library", "--json")
    assert done.code == 1
    assert (done.document["introduced"], done.document["failed"]) == (3, [])
    assert [problem.split(":")[0].split(", ")[1] for problem in done.document["left_out"]] == [
        "line 4",
        "line 5",
        "line 6",
    ]
    assert "gone.jpg" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Bo", "--manifest", "x"), "says it all"),
        (("Bo",), "at least one IMAGE"),
        (("Bo", "x.jpg", "--ray"), "--manifest"),
        (("--manifest", "x", "--workers", "2"), "add --ray"),
        (("--manifest", "x", "--device", "auto"), "whole model"),
        (("--manifest", "x"), "there is no file at x"),
    ],
)
def test_options_that_do_not_fit(ego: Run, arguments: tuple[str, ...], message: str) -> None:
    done = ego("introduce", *arguments)
    assert done.code == 2
    assert message in done.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "the line: Invalid JSON"),
        ('{"name": "Bo"}', "images"),
        ('{"name": "Bo", "images": []}', "images"),
        ('{"name": " ", "images": ["a.jpg"]}', "the name is empty"),
        ('{"name": "Bo", "images": ["b.jpg"]}', "there is no file"),
        ('{"name": "Bo", "images": ["a.jpg"], "photo": 1}', "photo"),
        ('{"name": "Bo", "images": ["a.jpg"], "boxes": [null, null]}', "2 boxes for 1 images"),
        ('{"name": "Bo", "images": ["a.jpg"]}\n{"name": "bo", "images": ["a.jpg"]}', "line 2: 'bo' is the name of"),
        ('{"name": "Bo", "images": ["a.jpg"], "kind": 1}', "kind.*known are name, images"),
        (json.dumps({"name": "Bo", "images": ["x" * 5000]}), "there is no file"),
        ("", "is empty"),
        ("\n", "holds no concept"),
    ],
)
def test_manifests_that_cannot_be_used(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "concepts.jsonl").write_text(line)
    with pytest.raises(InputError, match=message):
        read_concepts(tmp_path / "concepts.jsonl")
