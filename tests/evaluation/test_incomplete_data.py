"""Half-downloaded data is refused with what is missing and how to get it."""

from pathlib import Path

import pytest

from ego.errors import DatasetError
from ego.evaluation.datasets import DATASETS, load_dataset
from ego.evaluation.datasets.complete import require_complete
from ego.evaluation.manifest import Manifest, OpenSample, Subject
from tests.evaluation.trees import images, put_json

QUESTION = {"question": "Where is <sks>?", "answer": "on grass"}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    images(tmp_path / "bo", "refs/0.png", "tests/0.png")
    return tmp_path


def test_nothing_to_ask(tmp_path: Path) -> None:
    images(tmp_path / "bo", "refs/0.png")
    with pytest.raises(DatasetError, match=r"holds no test image or question\. Make one folder per concept"):
        load_dataset("folder", tmp_path)


def test_images_that_questions_name_are_missing(photos: Path) -> None:
    questions = {f"bo/tests/{number}.png": QUESTION for number in range(3)}
    put_json(photos / "questions.json", {"bo": questions})
    manifest = load_dataset("folder", photos)
    assert len(manifest.of_task("open")) == 1
    missing = "2 left out, questions of questions.json whose picture is missing: bo/tests/1.png, bo/tests/2.png"
    assert missing in manifest.notes


def test_a_reference_is_missing(photos: Path) -> None:
    load_dataset("folder", photos).save(photos / "manifest.json")
    (photos / "bo/refs/0.png").unlink()
    with pytest.raises(DatasetError, match=r"1 left out, pictures that are missing: bo/refs/0\.png.*Put the data back"):
        load_dataset("manifest", photos / "manifest.json")


def test_a_clip_is_missing(photos: Path) -> None:
    clip = OpenSample(id="clip", video="bo.mp4", known=("bo",), question="?", answer="runs")
    manifest = load_dataset("folder", photos).model_copy(update={"samples": (clip,)})
    with pytest.raises(DatasetError, match=r"bo\.mp4\. Get it"):
        require_complete(manifest, "Get it")


def test_a_concept_without_references(photos: Path) -> None:
    manifest = load_dataset("folder", photos)
    empty = Subject(key="rex", name="rex", references=())
    with pytest.raises(DatasetError, match=r"concept 'rex' .* has no reference image\. Get it"):
        require_complete(manifest.model_copy(update={"subjects": (*manifest.subjects, empty)}), "Get it")


def test_yollava_with_an_empty_training_folder(tmp_path: Path) -> None:
    images(tmp_path, "train/bo/0.png", "test/bo/0.png")
    (tmp_path / "train/mam").mkdir()
    with pytest.raises(DatasetError, match=r"concept 'mam' .*\. Download the Yo'LLaVA data"):
        load_dataset("yollava", tmp_path)


def test_rap_without_the_images_its_lists_name(tmp_path: Path) -> None:
    put_json(tmp_path / "database.json", {"concept_dict": {"<bo>": {"name": "bo", "image": "db/bo.png"}}})
    put_json(tmp_path / "recognition_test.json", [{"image": "t/0.png", "concept": "bo", "correct_answer": True}])
    with pytest.raises(DatasetError, match=r"2 files are missing, such as .*db/bo\.png\. Download the repository"):
        load_dataset("rap", tmp_path)


def test_pointers_are_refused_where_a_list_names_them(photos: Path) -> None:
    put_json(photos / "questions.json", {"bo": {"elsewhere/0.png": QUESTION}})
    (photos / "elsewhere").mkdir()
    (photos / "elsewhere/0.png").write_text(POINTER)
    with pytest.raises(DatasetError, match="git lfs pull"):
        load_dataset("folder", photos)


def test_complete_data_is_passed_on(photos: Path) -> None:
    manifest = load_dataset("folder", photos)
    assert isinstance(manifest, Manifest)
    assert require_complete(manifest, "") is manifest


def test_every_data_set_says_how_to_get_it() -> None:
    assert all(dataset.how_to_get for dataset in DATASETS.values())


def test_a_question_about_a_picture_outside_test_is_named(tmp_path: Path) -> None:
    images(tmp_path, "train/bo/0.png", "test/bo/1.png")
    put_json(tmp_path / "yollava-visual-qa.json", {"bo/1.png": {"question": "Is <sks> red?", "answer": "no"}})
    with pytest.raises(DatasetError, match="not below test/"):
        load_dataset("yollava", tmp_path)
