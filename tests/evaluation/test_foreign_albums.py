"""Albums, question files, manifests and records as people have them: read, or left out, counted and listed."""

import contextlib
import json
import os
import shutil
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ego.errors import DatasetError
from ego.evaluation.datasets import load_dataset
from ego.evaluation.datasets.entries import Question
from ego.evaluation.datasets.saved_manifest import load_manifest
from ego.evaluation.manifest import Manifest
from ego.evaluation.records import Lines, Record
from ego.evaluation.report.results import load_answers
from tests.evaluation.trees import image, images, put_json

CHOICE = {"question": "What is <sks>?", "options": {"A": "a dog", "B": "a cup"}, "correct_answer": "A"}
PICTURE = "bo/tests/1.png"


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for number, key in enumerate(("bo", "rex")):
        image(tmp_path / key / "refs" / "0.png", f"#{number}00")
        image(tmp_path / key / "tests" / "1.png", f"#{number}50")
    return tmp_path


def keys(manifest: Manifest) -> list[str]:
    return [subject.key for subject in manifest.subjects]


def pictures(manifest: Manifest) -> set[str]:
    return {path for sample in manifest.samples for path in sample.pictures}


# -- album folders


def test_an_entry_is_that_of_its_own_picture_and_not_of_one_whose_name_ends_alike(tmp_path: Path) -> None:
    images(tmp_path, "cat/refs/0.png", "cat/tests/1.png", "tomcat/refs/0.png", "tomcat/tests/1.png")
    shared = [{"image": "tomcat/tests/1.png", "concepts": ["cat", "tomcat"]}]
    put_json(tmp_path / "concepts.json", {"concepts": [], "natural_multi_concept_images": shared})
    captions = {sample.pictures[0]: sample.present for sample in load_dataset("folder", tmp_path).of_task("caption")}
    assert captions == {"cat/tests/1.png": ("cat",), "tomcat/tests/1.png": ("cat", "tomcat")}


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="such names are no names here")
def test_names_that_are_no_text_are_left_out_and_listed(album: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"n\xf6")
    shutil.copytree(album / "bo", album / odd)
    shutil.copy(album / "bo/refs/0.png", album / "bo/refs" / f"{odd}.png")
    manifest = load_dataset("folder", album)
    manifest.save(tmp_path / "manifest.json")
    assert (keys(manifest), pictures(manifest)) == (["bo", "rex"], {"bo/tests/1.png", "rex/tests/1.png"})
    assert any("2 left out, files and folders whose names are not UTF-8: " in note for note in manifest.notes)
    with pytest.raises(DatasetError, match="not UTF-8"):
        load_dataset("folder", album / odd)


@pytest.mark.parametrize(
    "litter",
    [
        *(
            "@eaDir/bo/refs/0.png",
            "#recycle/old/refs/0.png",
            "bo/tests/@eaDir/1.png/THUMB.jpg",
            "__MACOSX/bo/refs/0.png",
        ),
        *("bo/tests/._1.png", "bo/tests/.DS_Store", "bo/tests/Thumbs.db", "bo/.thumbnails/refs/0.png"),
        *("$RECYCLE.BIN/x/refs/0.png", "lost+found/x/refs/0.png"),
    ],
)
def test_what_other_programs_leave_behind_is_passed_over(album: Path, litter: str) -> None:
    before = load_dataset("folder", album)
    (album / litter).parent.mkdir(parents=True, exist_ok=True)
    (album / litter).write_bytes((album / PICTURE).read_bytes())
    assert load_dataset("folder", album) == before


@pytest.mark.parametrize("suffix", ["avif", "tif", "jfif", "TIFF", "JPG", "webp", "jp2"])
def test_every_suffix_of_an_image_counts(album: Path, suffix: str) -> None:
    kind = {"jfif": "JPEG", "JPG": "JPEG", "jp2": "JPEG2000"}.get(suffix, suffix.rstrip("F").rstrip("f").upper())
    from PIL import Image

    kind = "TIFF" if kind.startswith("TI") else "AVIF" if kind.startswith("AVI") else kind
    Image.new("RGB", (16, 16), "blue").save(album / f"bo/tests/2.{suffix}", kind)
    Image.new("RGB", (16, 16), "green").save(album / f"bo/refs/2.{suffix}", kind)
    read = load_dataset("folder", album)
    assert f"bo/tests/2.{suffix}" in pictures(read)
    assert len(read.subjects[0].references) == 2
    assert read.notes == ()


def test_what_is_no_image_is_listed(album: Path) -> None:
    for name in ("bo/tests/notes.txt", "bo/refs/clip.mp4", "rex/tests/plan.pdf"):
        (album / name).write_bytes(b"x")
    [note] = load_dataset("folder", album).notes
    assert note.startswith("3 left out, files that are no photos")
    assert {"bo/tests/notes.txt", "bo/refs/clip.mp4"} <= set(note.replace(",", "").split())


def test_folders_count_in_any_case(tmp_path: Path) -> None:
    images(tmp_path, "bo/Refs/0.png", "bo/TESTS/1.png", "bo/refs/5.png", "x/Bo/refs/0.png")
    read = load_dataset("folder", tmp_path)
    assert [(subject.key, subject.name, len(subject.references)) for subject in read.subjects] == [
        ("bo", "bo", 2),
        ("x/Bo", "x Bo", 1),
    ]


def test_a_concept_whose_photos_cannot_be_used_is_left_out_and_the_others_stay(album: Path) -> None:
    (album / "rex/refs/0.png").write_bytes(b"no picture")
    (album / "max/refs").mkdir(parents=True)
    image(album / "max/tests/1.png")
    (album / "bo/tests/2.png").write_bytes((album / PICTURE).read_bytes()[:40])
    read = load_dataset("folder", album)
    assert keys(read) == ["bo"]
    assert pictures(read) == {PICTURE, "rex/tests/1.png"}
    assert {sample.known for sample in read.samples} == {("bo",)}
    said = " ".join(read.notes)
    for words in ("concepts with no reference image: max", "rex/refs/0.png", "bo/tests/2.png", "without a reference"):
        assert words in said


def test_the_same_photo_in_refs_and_tests_is_reported_by_its_pixels(album: Path) -> None:
    from PIL import Image

    Image.open(album / "bo/refs/0.png").save(album / "bo/tests/0.bmp")
    [note] = load_dataset("folder", album).notes
    assert note == "1 photos are references and questions at once: bo/tests/0.bmp = bo/refs/0.png"


def test_a_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no <concept>/refs"):
        load_dataset("folder", tmp_path)
    with pytest.raises(DatasetError, match="is a folder"):
        load_dataset("manifest", tmp_path)


# -- question files


def asked(album: Path, content: bytes | object) -> Manifest:
    path = album / "questions.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return load_dataset("folder", album)


@pytest.mark.parametrize(
    "content",
    [
        {"bo": {PICTURE: CHOICE}},
        {"bo": {PICTURE: [CHOICE]}},
        {PICTURE: CHOICE},
        {PICTURE: [CHOICE]},
        [{"image": PICTURE, **CHOICE}],
        [{"image": PICTURE, "concept": "BO", **CHOICE}],
        {"bo": {"bo\\tests\\1.png": CHOICE}},
        {"bo": {"tests/1.png": CHOICE}},
        {"bo": {"1.png": CHOICE}},
        {"bo": {f"./albums/mine/{PICTURE}": CHOICE}},
        {"Bo": {"BO/Tests/1.PNG": CHOICE}},
        {"bo": {PICTURE: {**CHOICE, "options": ["a dog", "a cup"]}}},
        {"bo": {PICTURE: {**CHOICE, "correct_answer": "a"}}},
        {"bo": {PICTURE: {**CHOICE, "correct_answer": "A Dog"}}},
        {"bo": {PICTURE: {**CHOICE, "correct_answer": "(A)"}}},
        {"bo": {PICTURE: {**CHOICE, "correct_answer": "A. a dog", "more": {"x": [1]}}}},
        {"bo": {PICTURE: {"question": CHOICE["question"], "option": CHOICE["options"], "answer": "A"}}},
    ],
)
def test_questions_are_read_as_people_write_them(album: Path, content: object) -> None:
    read = asked(album, content)
    assert read.notes == ()
    [question] = read.of_task("choice")
    assert (question.pictures, question.known, question.answer) == ((PICTURE,), ("bo",), 0)
    assert (question.question, question.options) == ("What is <bo>?", ("a dog", "a cup"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-8"])
def test_any_encoding_is_read(album: Path, encoding: str) -> None:
    read = asked(
        album, json.dumps({"bo": {PICTURE: {"question": "Où?", "answer": "là"}}}, ensure_ascii=False).encode(encoding)
    )
    assert [(one.question, one.answer) for one in read.of_task("open")] == [("Où?", "là")]


@pytest.mark.parametrize(("answer", "words"), [(0, "0"), (False, "no"), (True, "yes"), (2.5, "2.5"), (3.0, "3")])
def test_plain_values_are_answers(album: Path, answer: object, words: str) -> None:
    [question] = asked(album, {"bo": {PICTURE: {"question": "How many?", "correct_answer": answer}}}).of_task("open")
    assert question.answer == words


def test_accents_count_in_either_form(tmp_path: Path) -> None:
    apart, together = unicodedata.normalize("NFD", "Zoë"), "Zoë"
    image(tmp_path / f"{apart}/refs/0.png")
    image(tmp_path / f"{apart}/tests/1.png", "blue")
    read = asked(tmp_path, {together: {f"{together}/tests/1.png": CHOICE}})
    assert (len(read.of_task("choice")), read.notes) == (1, ())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"bo": {PICTURE: {**CHOICE, "correct_answer": "C"}}}, "'C' is none of the options"),
        ({"bo": {PICTURE: {"question": "?"}}}, "has no correct_answer"),
        ({"bo": {PICTURE: {"correct_answer": "A"}}}, "question: is missing"),
        ({"bo": {PICTURE: {**CHOICE, "options": {"A": "a dog"}}}}, "1 options"),
        ({"bo": {PICTURE: {**CHOICE, "options": "a dog or a cup"}}}, "neither a list nor"),
        ({"bo": {PICTURE: "What is it?"}}, "no JSON object"),
        ({"bo": {"bo/tests/7.png": CHOICE}}, "bo/tests/7.png"),
        ({"max": {PICTURE: CHOICE}}, "max"),
        ({"bo": 7}, "no questions: bo"),
        ([{"question": "?"}, CHOICE, "x"], "0, 1, 2"),
        (7, "no object and no list"),
    ],
)
def test_a_question_that_cannot_be_used_costs_only_itself(album: Path, content: Any, words: str) -> None:
    before = len(load_dataset("folder", album).samples)
    read = asked(album, content)
    assert words in " ".join(read.notes)
    assert len(read.samples) == before
    if isinstance(content, dict):
        beside = {**content, "rex": {"rex/tests/1.png": CHOICE}}
        assert len(asked(album, beside).of_task("choice")) == 1


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe{", b"\x80abc", b"[" * 5000, b'{"a": "\xe9"}', b" "])
def test_a_file_that_is_no_json_is_one_line(album: Path, content: bytes) -> None:
    with pytest.raises(DatasetError, match=r"questions\.json") as refusal:
        asked(album, content)
    assert "\n" not in str(refusal.value)


PLAIN = st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.sampled_from(["A", "bo", PICTURE, ""])
JSON = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["bo", PICTURE, "question", "options", "correct_answer", "image", "concepts", "id", "A", "é"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(questions=JSON, facts=JSON)
def test_any_json_is_read_or_left_out(album: Path, questions: object, facts: object) -> None:
    put_json(album / "questions.json", questions)
    put_json(album / "concepts.json", facts)
    assert keys(load_dataset("folder", album)) == ["bo", "rex"]


@given(JSON)
def test_any_entry_is_a_question_or_a_validation_error(entry: object) -> None:
    from pydantic import ValidationError

    try:
        read = Question.model_validate(entry)
    except ValidationError:
        return
    assert read.question
    assert 0 <= read.answer < len(read.options) if isinstance(read.answer, int) else read.answer


# -- manifests and records


def test_a_sample_that_cannot_be_used_costs_only_itself(album: Path) -> None:
    load_dataset("folder", album).save(album / "manifest.json")
    content = json.loads((album / "manifest.json").read_text())
    good = len(content["samples"])
    recognition = content["samples"][0]
    base = {"id": "new", "known": ["bo"], "pictures": [PICTURE], "kind": "choice", "question": "?", "more": 1}
    content["samples"] += [
        {**recognition, "id": "a", "asked": "max"},
        {**recognition, "id": "b", "known": ["max"], "asked": "max"},
        {**recognition},
        {**{key: base[key] for key in base if key != "more"}, "options": [], "answer": 0},
        {**{key: base[key] for key in base if key != "more"}, "id": "c", "options": ["x", "y"], "answer": 2},
        base,
        "x",
        None,
    ]
    content["subjects"].append({"key": "ann"})
    put_json(album / "manifest.json", content)
    read = load_manifest(album / "manifest.json")
    assert (len(read.samples), keys(read)) == (good, ["bo", "rex"])
    assert len(read.notes) == 7, read.notes
    assert load_dataset("manifest", album / "manifest.json").samples == read.samples


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=JSON, subjects=JSON, samples=JSON)
def test_any_json_is_a_manifest_or_one_line(tmp_path: Path, content: object, subjects: object, samples: object) -> None:
    wholes = [content, {"dataset": "x", "root": ".", "subjects": subjects, "samples": samples}]
    for whole in wholes:
        put_json(tmp_path / "manifest.json", whole)
        with contextlib.suppress(DatasetError):  # and nothing else may come out
            load_manifest(tmp_path / "manifest.json")


def test_damaged_records_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = Lines(tmp_path / "records.jsonl", Record)
    for number in range(3):
        lines.append(Record(method="ego", views=1, sample=str(number), text="yes", context_tokens=1))
    good = (tmp_path / "records.jsonl").read_bytes().splitlines()
    damage = [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", good[0][:-5], good[0].replace(b"1", b"[1]"), b"[" * 5000]
    damage += [good[0].replace(b'"ego"', b"7"), good[0][:-1] + b', "more": 1}', b"\0" * 40]
    (tmp_path / "records.jsonl").write_bytes(b"\n".join([good[0], *damage, good[1], good[2], good[2][:9]]))
    read = Lines(tmp_path / "records.jsonl", Record)
    assert [line.sample for line in read] == ["0", "1", "2"]
    assert len(read.damaged) == len(damage)
    assert f"{len(damage)} lines of" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"7", b"{}", b"\xff", b'{"config": {"budget": 7}}'])
def test_a_folder_whose_run_is_damaged_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(DatasetError) as refusal:
        load_answers(tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content", [[], 7, None, {"bo": 7}, {"bo": {"a": "b"}}, [[[]]], {"concept_dict": {"<bo>": []}}]
)
@pytest.mark.parametrize(
    ("name", "file"),
    [
        *(("yollava", "yollava-visual-qa.json"), ("yollava", "yollava-text-only-qa.json"), ("rap", "database.json")),
        *(("rap", "recognition_test.json"), ("this-is-my-img-single", "Single-concept/qa.json")),
    ],
)
def test_files_of_published_data_in_another_form_are_one_line_or_noted(
    tmp_path: Path, name: str, file: str, content: object
) -> None:
    for part in ("train/bo/0.png", "test/bo/1.png", "Single-concept/train/bo-dog/0.png"):
        image(tmp_path / part)
    image(tmp_path / "Single-concept/test/Positive/bo-dog/1.png")
    if name == "rap" and file != "database.json":
        put_json(tmp_path / "database.json", {"concept_dict": {"<bo>": {"name": "bo", "image": "train/bo/0.png"}}})
    put_json(tmp_path / file, content)
    with contextlib.suppress(DatasetError):  # and nothing else may come out
        load_dataset(name, tmp_path)
