"""A real architecture in miniature and a small data set, shared by the tests that ask a model."""

from pathlib import Path

import pytest

from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from ego.evaluation.datasets import load_dataset
from ego.evaluation.manifest import Manifest
from tests.backbones.tiny import picture, save
from tests.evaluation.trees import put_json


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Idefics3: its random weights happen to say words, which keywords need."""
    return save("idefics3", tmp_path_factory.mktemp("models") / "idefics3", gain=2.0)


@pytest.fixture(scope="session")
def backbone(tiny_model: Path) -> Backbone:
    return load_backbone(tiny_model, device="cpu", self_check=False)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three concepts with two references and two tests each, and questions about them."""
    root = tmp_path_factory.mktemp("photos")
    for number, key in enumerate(("bo", "rex", "cup")):
        for place, name in enumerate(("refs/0.png", "refs/1.png", "tests/0.png", "tests/1.png")):
            path = root / key / name
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(seed=10 * number + place).save(path)
    question = {"question": "What is <sks>?", "options": {"A": "a dog", "B": "a cup"}, "correct_answer": "A"}
    open_question = {"question": "Where is <sks>?", "correct_answer": "on grass"}
    put_json(root / "questions.json", {"bo": {"bo/tests/0.png": question}, "rex": {"rex/tests/0.png": open_question}})
    return root


@pytest.fixture(scope="session")
def manifest(photos: Path) -> Manifest:
    return load_dataset("folder", photos)
