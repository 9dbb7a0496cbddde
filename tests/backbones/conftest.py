"""Each miniature is built and saved once per session, and loaded from disk as a user would."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ego.backbones import load_backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from tests.backbones import tiny
from tests.backbones.further import FURTHER, NEED_TORCHVISION
from tests.backbones.unlisted import UNLISTED_WITH_TORCHVISION

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
        if family in (*NEED_TORCHVISION, *UNLISTED_WITH_TORCHVISION):
            skip_without_torchvision(family)
        backbone = load_backbone(checkpoint(family), **options)
        assert isinstance(backbone, HuggingFaceBackbone)
        return backbone

    return loaded


def skip_without_torchvision(family: str) -> None:
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):  # RuntimeError: built for another torch
        pytest.skip(f"transformers has no image processor of {family} without torchvision")


@pytest.fixture(params=[*tiny.FAMILIES, *(pytest.param(name, marks=pytest.mark.families) for name in FURTHER)])
def family(request: pytest.FixtureRequest) -> str:
    """Families on which the whole contract runs: the first dozen always, the others with `make test-families`."""
    if request.param in NEED_TORCHVISION:
        skip_without_torchvision(request.param)
    return str(request.param)


@pytest.fixture
def backbone(load: Loader, family: str) -> HuggingFaceBackbone:
    """Every family in turn."""
    return load(family)


@pytest.fixture
def internvl(load: Loader) -> HuggingFaceBackbone:
    """One family, where all behave alike."""
    return load("internvl3")
