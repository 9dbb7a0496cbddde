"""COCO JSON as annotation tools write it: read, or left out and listed; masks lie where the photo shows the thing."""

import json
import unicodedata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as rle

from ego.errors import DatasetError
from ego.evaluation.datasets.coco import MaskedImages, single_object_images
from ego.evaluation.datasets.coco_masks import UnusableMaskError, area_of, mask_of
from tests.evaluation.trees import put_json

WIDTH, HEIGHT = 160, 120
SQUARE = [[50, 30, 109, 30, 109, 89, 50, 89]]
CORNER = [[8, 8, 67, 8, 67, 67, 8, 67]]


def run_lengths() -> list[int]:
    columns = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    columns[30:90, 50:110] = 1
    flat = columns.flatten(order="F")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]])))
    return np.diff(np.concatenate([[0], edges, [len(flat)]])).tolist()


COUNTS = {"size": [HEIGHT, WIDTH], "counts": run_lengths()}
TEXT = {"size": [HEIGHT, WIDTH], "counts": rle.frPyObjects(COUNTS, HEIGHT, WIDTH)["counts"].decode()}


def annotation(image: Any, **change: Any) -> dict[str, Any]:
    whole = {"id": image, "image_id": image, "category_id": 1, "segmentation": SQUARE, "area": 3600.0, "iscrowd": 0}
    return {key: value for key, value in {**whole, **change}.items() if value is not ...}


def entry(image: Any, name: str, **change: Any) -> dict[str, Any]:
    whole = {"id": image, "file_name": name, "width": WIDTH, "height": HEIGHT}
    return {key: value for key, value in {**whole, **change}.items() if value is not ...}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        Image.new("RGB", (WIDTH, HEIGHT), (40 * number, 90, 20)).save(tmp_path / f"good{number}.jpg")
    Image.new("RGB", (WIDTH, HEIGHT), "blue").save(tmp_path / "odd.jpg")
    return tmp_path


def read(
    folder: Path, odd: dict[str, Any] | None, odd_image: dict[str, Any] | None = None, **whole: Any
) -> MaskedImages:
    """Three good images and an odd one."""
    content = {
        "images": [*(entry(number, f"good{number}.jpg") for number in range(3)), odd_image or entry(99, "odd.jpg")],
        "annotations": [*map(annotation, range(3)), *([odd] if odd else [])],
        "categories": [{"id": 1, "name": "disc"}],
    } | whole
    put_json(folder / "a.json", {key: value for key, value in content.items() if value is not ...})
    return single_object_images(folder, folder / "a.json")


@pytest.mark.parametrize(
    ("odd", "odd_image"),
    [
        ({"iscrowd": ...}, {}),
        ({"iscrowd": False}, {}),
        ({"iscrowd": None, "area": ...}, {}),
        ({"area": ...}, {}),
        ({"area": None, "bbox": "none", "score": 0.4}, {}),
        ({"segmentation": COUNTS}, {}),
        ({"segmentation": TEXT, "area": ...}, {}),
        ({"segmentation": [COUNTS]}, {}),
        ({"segmentation": SQUARE[0]}, {}),
        ({"category_id": 7}, {}),
        ({"category_id": ...}, {}),
        ({"image_id": "99", "id": ...}, {}),
        ({}, {"id": "99"}),
        ({}, {"id": 99.0}),
        ({}, {"width": ..., "height": ...}),
        ({"area": ...}, {"width": None, "height": None}),
        ({}, {"file_name": "C:\\photos\\odd.jpg"}),
        ({}, {"file_name": "val2017/odd.jpg", "coco_url": 7}),
    ],
)
def test_odd_entries_that_say_enough_are_read(folder: Path, odd: dict[str, Any], odd_image: dict[str, Any]) -> None:
    found = read(folder, annotation(99, **odd), entry(99, "odd.jpg", **odd_image))
    assert [image.name for image in found.images] == ["good0", "good1", "good2", "odd"]
    assert found.notes == ()
    mask = found.images[-1].mask
    assert (mask.shape, abs(int(mask.sum()) - 3600) < 250, bool(mask[60, 80])) == ((HEIGHT, WIDTH), True, True)


@pytest.mark.parametrize(
    ("odd", "odd_image", "words"),
    [
        ({"segmentation": ...}, {}, "a box alone is no mask"),
        ({"segmentation": [], "bbox": [50, 30, 60, 60]}, {}, "a box alone is no mask"),
        ({"segmentation": [[1, 2, 3, 4]]}, {}, "three corners"),
        ({"segmentation": [["a", "b", "c", "d", "e", "f"]]}, {}, "no list of numbers"),
        ({"segmentation": [[0, 0, 1e9, 0, 1e9, 1e9]]}, {}, "far outside"),
        ({"segmentation": {"size": [7, 7], "counts": [49]}}, {}, "of size"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": [5]}}, {}, "add up to 5"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": "zzzz"}}, {}, "counts"),
        ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": -1}}, {}, "neither text nor a list"),
        ({}, {"width": 50, "height": 50}, "larger than their image"),
        ({}, {"width": 150, "height": 110}, "its annotation"),
        ({}, {"file_name": "gone.jpg"}, "gone.jpg"),
        ({}, {"file_name": None}, "images that cannot be used: 3"),
        ({"image_id": None}, {}, "annotations that cannot be used: 3"),
        ({"area": "large"}, {}, "annotations that cannot be used: 3"),
        ({}, {"width": 10**9, "height": 10**9}, "images that cannot be used: 3"),
    ],
)
def test_odd_entries_are_named_and_the_others_used(
    folder: Path, odd: dict[str, Any], odd_image: dict[str, Any], words: str
) -> None:
    found = read(folder, annotation(99, **odd), entry(99, "odd.jpg", **odd_image))
    assert [image.name for image in found.images] == ["good0", "good1", "good2"]
    assert words in " ".join(found.notes)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_of_a_file_name_count_in_either_form(folder: Path, form: Literal["NFC", "NFD"]) -> None:
    (folder / "odd.jpg").rename(folder / unicodedata.normalize("NFC", "Zo\u00eb.jpg"))
    found = read(folder, annotation(99), entry(99, unicodedata.normalize(form, "Zo\u00eb.jpg")))
    assert (len(found.images), found.notes) == (4, ())


@pytest.mark.parametrize("twice", [entry(0, "odd.jpg"), entry(99, "good0.jpg")])
def test_what_is_listed_twice_is_left_out(folder: Path, twice: dict[str, Any]) -> None:
    found = read(folder, annotation(99), twice)
    assert [image.name for image in found.images] == ["good1", "good2"]
    assert "listed twice" in found.notes[0]


def test_a_broken_image_does_not_end_the_batch(folder: Path) -> None:
    (folder / "odd.jpg").write_bytes((folder / "odd.jpg").read_bytes()[:100])
    found = read(folder, annotation(99))
    assert len(found.images) == 3
    assert "odd.jpg" in " ".join(found.notes)


def test_missing_images_are_counted(folder: Path) -> None:
    more = [entry(number, f"not-downloaded-{number}.jpg") for number in range(50, 70)]
    images = [*(entry(number, f"good{number}.jpg") for number in range(3)), *more]
    found = read(folder, None, images=images, annotations=[annotation(one["id"]) for one in images])
    [note] = found.notes
    assert note.startswith(f"20 left out, images that are not in {folder}: not-downloaded-50.jpg, ")
    assert note.endswith("and 10 more")


@pytest.mark.parametrize(
    "content", [[], 7, {}, {"images": []}, {"images": {}, "annotations": 3}, {"images": [None, 7], "annotations": [[]]}]
)
def test_other_json_is_one_line(folder: Path, content: object) -> None:
    put_json(folder / "a.json", content)
    with pytest.raises(DatasetError) as refusal:
        single_object_images(folder, folder / "a.json")
    assert "\n" not in str(refusal.value)


def test_a_byte_order_mark_is_read(folder: Path) -> None:
    read(folder, annotation(99))
    (folder / "a.json").write_bytes(b"\xef\xbb\xbf" + (folder / "a.json").read_bytes())
    assert len(single_object_images(folder, folder / "a.json").images) == 4


# -- turned photos


def turned(path: Path, orientation: int) -> None:
    """A photo whose stored top left is red."""
    stored = Image.new("RGB", (WIDTH, HEIGHT), "blue")
    stored.paste("red", (8, 8, 68, 68))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(path, quality=95, exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_are_turned_with_their_photo(folder: Path, orientation: int) -> None:
    turned(folder / "odd.jpg", orientation)
    image = read(folder, annotation(99, segmentation=CORNER)).images[-1]
    red = np.asarray(image.picture)[..., 0] > 127
    assert image.mask.shape == red.shape == image.picture.size[::-1]
    assert (image.mask & red).sum() / (image.mask | red).sum() > 0.9


def test_masks_in_the_space_of_the_picture_as_shown_stay(folder: Path) -> None:
    turned(folder / "odd.jpg", 6)
    shown = [[52, 8, 111, 8, 111, 67, 52, 67]]  # top right of 120x160
    image = read(folder, annotation(99, segmentation=shown), entry(99, "odd.jpg", width=HEIGHT, height=WIDTH)).images[
        -1
    ]
    red = np.asarray(image.picture)[..., 0] > 127
    assert (image.mask & red).sum() / (image.mask | red).sum() > 0.9


# -- masks


PARTS = (
    st.lists(st.floats() | st.integers(-(10**9), 10**9), max_size=12)
    | st.dictionaries(st.sampled_from(["size", "counts"]), st.just([12, 16]) | st.text(max_size=12) | st.integers())
    | st.fixed_dictionaries(
        {"size": st.just([12, 16]), "counts": st.text(st.characters(max_codepoint=127), max_size=9)}
    )
    | st.fixed_dictionaries({"size": st.just([12, 16]), "counts": st.lists(st.integers(-1, 192), max_size=5)})
    | st.none()
)


@settings(max_examples=300)
@given(PARTS | st.lists(PARTS, max_size=3))
def test_any_segmentation_is_a_mask_or_refused(segmentation: object) -> None:
    try:
        mask = mask_of(segmentation, (16, 12))
    except UnusableMaskError:
        return
    assert mask.shape == (12, 16)
    assert area_of(segmentation, (16, 12)) == mask.sum()


@given(st.lists(st.booleans(), min_size=48, max_size=48))
def test_both_forms_of_run_lengths_are_the_mask(pixels: list[bool]) -> None:
    mask = np.array(pixels).reshape(6, 8)
    packed = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = {"size": [6, 8], "counts": packed["counts"].decode()}
    assert (mask_of(text, (8, 6)) == mask).all()
    assert (mask_of(json.loads(json.dumps([text])), (8, 6)) == mask).all()
