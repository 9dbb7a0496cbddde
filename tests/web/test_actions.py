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
from ego.web.figures import figures
from ego.web.marking import mark

PICTURES = shipped_pictures().folder


@pytest.fixture
def personal(tmp_path: Path) -> Ego:
    return Ego(load_backbone("mini"), ConceptStore(tmp_path), EgoConfig(thumbnails=True))


@pytest.mark.parametrize("label", ["Bo", "Grandmother's old brass teapot, bought in Istanbul"])
def test_a_label_is_written_whole(label: str) -> None:
    picture = Image.new("RGB", (320, 200), "white")
    mark(picture, (0.7, 0.2, 0.9, 0.8), label)
    in_label = [picture.getpixel((x, 41)) != (255, 255, 255) for x in range(320)]
    assert any(in_label)
    assert not in_label[-1]


def test_from_photos_to_boxes_and_words(personal: Ego) -> None:
    photos = [str(PICTURES / "bo-1.jpg"), str(PICTURES / "bo-2.jpg")]
    memory, drawn = actions.introduce(personal, "Bo_*", [*photos, photos[0]])
    said = [text for _, text in drawn]
    assert said == ["Photo 1", "What was kept of photo 1", "Photo 2", "What was kept of photo 2"]
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


def test_photos_are_added_to_what_is_remembered(personal: Ego) -> None:
    actions.introduce(personal, "Bo", [str(PICTURES / "bo-1.jpg")])
    memory, drawn = actions.add_photos(personal, "Bo", [str(PICTURES / "bo-2.jpg")])
    assert len(memory.views) == 2
    assert [text for _, text in drawn] == ["Photo 2", "What was kept of photo 2"]


def test_a_box_replaces_the_words(personal: Ego) -> None:
    photo = str(PICTURES / "bo-1.jpg")
    region = actions.region_of(actions.box_between((100, 90), (20, 30), scale=2), (256, 256))
    assert region.box == (40, 60, 200, 180)
    memory, _ = actions.introduce(personal, "Bo", [photo, photo.replace("-1", "-2")], region=region, photo=0)
    assert [view.description_by for view in memory.views] == ["region", "model"]
    assert "Chosen by your box" in actions.described(memory)


@pytest.mark.parametrize(
    ("box", "trouble"),
    [("5, 5, 6, 90", "too small"), ("here", "is no box"), ("1, 2, 3", "is no box"), ("0, 0, 900, 90", "not inside")],
)
def test_what_is_no_box_is_said(box: str, trouble: str) -> None:
    with pytest.raises(InputError, match=trouble):
        actions.region_of(box, (256, 256))


def test_frames_of_a_clip_can_be_corrected_one_by_one(personal: Ego) -> None:
    photo, clip = str(PICTURES / "bo-1.jpg"), str(PICTURES / "clip-01.mp4")
    sources = actions.single(personal, [photo, clip])
    assert sources[0] == photo
    assert len(sources) == 1 + personal.config.introduction_frames
    assert all(isinstance(source, Image.Image) for source in sources[1:])


def test_a_page_gets_no_more_than_it_needs() -> None:
    assert actions.shown(Image.new("RGB", (4000, 1000))).size == (1280, 320)


def test_figures_hold_their_pictures_and_no_foreign_html() -> None:
    html = figures([(Image.new("RGB", (2000, 1000), "red"), "<b>Bo</b>")])
    assert 'width="768" height="384"' in html
    assert "&lt;b&gt;Bo" in html
    assert figures([]) == ""


def test_an_export_is_a_file(personal: Ego, tmp_path: Path) -> None:
    memory, _ = actions.introduce(personal, "Bo", [str(PICTURES / "bo-1.jpg")])
    target = actions.saved(memory, personal, tmp_path)
    assert ConceptStore(tmp_path / "other").import_file(target) == "Bo"
