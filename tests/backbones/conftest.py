"""Each miniature is built and saved once per session, and loaded from disk as a user would."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ego.backbones import load_backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from tests.backbones import tiny

Loader = Callable[..., HuggingFaceBackbone]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a family's checkpoint."""

    @cache
    def folder_of(family: str) -> Path:
        return tiny.save(family, tmp_path_factory.mktemp(family))

    return folder_of


@pytest.fixture(scope="session")
def load(checkpoint: Callable[[str], Path]) -> Loader:
    """Load a family's miniature; the same one for the same options."""

    @cache
    def loaded(family: str, **options: Any) -> HuggingFaceBackbone:
        backbone = load_backbone(checkpoint(family), **options)
        assert isinstance(backbone, HuggingFaceBackbone)
        return backbone

    return loaded


@pytest.fixture(params=tiny.FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backbone(load: Loader, family: str) -> HuggingFaceBackbone:
    """Every family in turn."""
    return load(family)


@pytest.fixture
def internvl(load: Loader) -> HuggingFaceBackbone:
    """One family, where all behave alike."""
    return load("internvl3")
