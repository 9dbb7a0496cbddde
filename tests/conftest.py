"""Shared by all tests: where photos that do not ship with the project are, and quiet, repeatable torch."""

import os
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from tests.backbones import tiny

settings.register_profile("ego", deadline=None)  # a busy machine is no failure
settings.load_profile("ego")
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests interrupt; a job in the background would ignore it
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else min(2, torch.get_num_threads()))

ROOT = Path(__file__).resolve().parent.parent


def _data_folder() -> Path:
    return Path(os.environ.get("EGO_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real photos, masks and videos; tests that need it are skipped where it is missing."""
    folder = _data_folder()
    if not (folder / "manifest.json").is_file():
        pytest.skip("no real photos here: set EGO_DATA to a folder with manifest.json, concepts/, coco_seg/, video/")
    return folder


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """An InternVL with four layers and random weights: real code, meaningless answers."""
    return load_backbone(tiny.save("internvl3", tmp_path_factory.mktemp("tiny")))
