"""What the page does, without a page."""

from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from ego import ConceptStore, Ego, EgoConfig
from ego.backbones import load_backbone
from ego.demo.pictures import shipped_pictures
from ego.errors import InputError
from ego.web import actions

PICTURES = shipped_pictures().folder


@pytest.fixture
def personal(tmp_path: Path) -> Ego:
    return Ego(load_backbone("mini"), ConceptStore(tmp_path), EgoConfig(thumbnails=True))


def test_from_photos_to_boxes_and_words(personal: Ego) -> None:
    photos = [str(PICTURES / "bo-1.jpg"), str(PICTURES / "bo-2.jpg")]
    memory, drawn = actions.introduce(personal, "Bo_*", photos)
    assert len(drawn) == 2
    assert "**Bo\\_\\*** is remembered in" in actions.described(memory)
    seen = actions.look(personal, photos[0])
    assert [one.name for one in seen.found] == ["Bo_*"]
    assert ImageChops.difference(seen.marked, seen.picture).getbbox() is not None
    assert seen.heat("Bo_*").width == 768
    with pytest.raises(InputError, match="not found"):
        seen.heat("Ted")
    talk = personal.chat(photos[0])
    pieces = list(actions.stream(talk, "What is this?"))
    assert all(later.startswith(earlier) for earlier, later in pairwise(pieces))
    with pytest.raises(InputError, match="empty"):
        list(actions.stream(talk, " "))


def test_a_box_replaces_the_words(personal: Ego) -> None:
    photo = str(PICTURES / "bo-1.jpg")
    region = actions.region_between((200, 180), (40, 60))
    assert region.box == (40, 60, 200, 180)
    memory, _ = actions.introduce(personal, "Bo", [photo, photo.replace("-1", "-2")], region=region, photo=0)
    assert [view.description_by for view in memory.views] == ["region", "model"]
    assert "Chosen by your box" in actions.described(memory)
    with pytest.raises(InputError, match="too close"):
        actions.region_between((5, 5), (6, 90))


def test_an_export_is_a_file(personal: Ego, tmp_path: Path) -> None:
    memory, _ = actions.introduce(personal, "Bo", [str(PICTURES / "bo-1.jpg")])
    target = actions.saved(memory, personal, tmp_path)
    assert ConceptStore(tmp_path / "other").import_file(target) == "Bo"
    assert Image.open(PICTURES / "bo-1.jpg").size
