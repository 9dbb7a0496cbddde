"""The page about adding a family is run as it stands."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ego.backbones.families import families
from tests.backbones import tiny
from tests.backbones.test_geometry import assert_inside, spotted

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-family.md"


def test_the_example_works_and_its_geometry_is_right(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ego.backbones.families._families", list(families()))
    names: dict[str, Any] = {"FOLDER": checkpoint(tiny.UNLISTED)}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(block, names)
    backbone, size = names["backbone"], (160, 96)
    assert (backbone.card.family, backbone.card.has_geometry) == ("VipLLaVA", True)
    plain = backbone.encode_image(tiny.picture(*size))
    for x, y in ((0.3, 0.3), (0.5, 0.8), (0.72, 0.2)):
        moved = (backbone.encode_image(spotted(tiny.picture(*size), x, y, (255, 0, 255))).rows - plain.rows).norm(dim=1)
        assert_inside(plain, moved, {0}, (x, y), size)


@pytest.mark.parametrize("module", re.findall(r"`(\w+\.py)` \|", PAGE.read_text(encoding="utf-8")))
def test_the_page_names_modules_that_exist(module: str) -> None:
    assert (PAGE.parents[1] / "src" / "ego" / "backbones" / module).is_file()
