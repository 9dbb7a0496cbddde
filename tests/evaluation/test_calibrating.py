"""Calibration over COCO files: which images count, RLE and polygons, resuming, drawings."""

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as rle

from ego.backbones.base import Backbone
from ego.calibration import select_layers
from ego.config import EgoConfig
from ego.errors import DatasetError
from ego.evaluation import calibrating
from ego.evaluation.datasets.coco import MaskedImage, single_object_images
from tests.backbones.tiny import picture
from tests.evaluation.trees import put_json

WIDTH, HEIGHT = 160, 96
CONFIG = EgoConfig(description_tokens=6)
SQUARE = [[20, 20, 80, 20, 80, 80, 20, 80]]


def annotation(number: int, image: int, segmentation: object, area: float, crowd: int = 0) -> dict:
    box = [20, 20, 60, 60]
    return {
        **{"id": number, "image_id": image, "category_id": 1, "segmentation": segmentation},
        **{"area": area, "bbox": box, "iscrowd": crowd},
    }


@pytest.fixture
def coco(tmp_path: Path) -> tuple[Path, Path]:
    """Six images: polygon, RLE, two objects, a crowd, too small, polygon with a speck beside it."""
    run_length = rle.encode(np.asfortranarray(np.pad(np.ones((60, 60), np.uint8), ((20, 16), (20, 80)))))
    run_length["counts"] = run_length["counts"].decode()
    entries = [
        *[annotation(1, 1, SQUARE, 3600), annotation(2, 2, run_length, 3600)],
        *[annotation(3, 3, SQUARE, 3600), annotation(4, 3, SQUARE, 3600)],
        *[annotation(5, 4, run_length, 3600, crowd=1), annotation(6, 5, SQUARE, 10)],
        *[annotation(7, 6, SQUARE, 3600), annotation(8, 6, SQUARE, 5)],
    ]
    images = []
    for number in range(1, 7):
        picture(WIDTH, HEIGHT, seed=number).save(tmp_path / f"{number}.png")
        images.append({"id": number, "width": WIDTH, "height": HEIGHT, "file_name": f"{number}.png"})
    content = {"images": images, "annotations": entries, "categories": [{"id": 1, "name": "dog"}]}
    put_json(tmp_path / "instances.json", content)
    return tmp_path, tmp_path / "instances.json"


def test_only_images_with_one_object_count(coco: tuple[Path, Path]) -> None:
    assert [image.name for image in single_object_images(*coco).images] == ["1", "2"]
    assert [image.name for image in single_object_images(*coco, ignore_below=0.01).images] == ["1", "2", "6"]
    assert len(single_object_images(*coco, limit=1).images) == 1


def test_polygons_and_rle_give_the_same_mask(coco: tuple[Path, Path]) -> None:
    polygon, run_length = (image.mask for image in single_object_images(*coco).images)
    assert polygon.shape == (HEIGHT, WIDTH)
    assert (polygon == run_length).mean() > 0.97  # a polygon's border is drawn slightly thicker
    assert run_length.sum() == 3600


def test_missing_files_and_sizes_that_disagree(coco: tuple[Path, Path], tmp_path: Path) -> None:
    folder, annotations = coco
    with pytest.raises(DatasetError, match="Download COCO 2017"):
        single_object_images(folder, tmp_path / "nothing.json")
    with pytest.raises(DatasetError, match="no image in"):
        single_object_images(tmp_path / "elsewhere", annotations)
    picture(50, 50).save(folder / "1.png")
    found = single_object_images(*coco)
    assert [image.name for image in found.images] == ["2"]
    assert any("its annotation" in note for note in found.notes)


def test_an_interrupted_calibration_continues(coco: tuple[Path, Path], backbone: Backbone, tmp_path: Path) -> None:
    images, out = single_object_images(*coco, ignore_below=0.01).images, tmp_path / "out"

    def stop(image: MaskedImage) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrating.observe_all(backbone, images, out, CONFIG, on_image=stop)
    (first,) = (out / "observations").glob("*/*.npz")
    written = first.stat().st_mtime_ns
    observations = calibrating.observe_all(backbone, images, out, CONFIG)
    assert first.stat().st_mtime_ns == written
    assert [one.image for one in observations] == ["1", "2", "6"]
    assert all(one.importance.shape[1] == 1 for one in observations)
    with_heads = calibrating.observe_all(backbone, images[:1], out, CONFIG, heads=True)
    assert with_heads[0].importance.shape[1] > 1
    mean = with_heads[0].importance.mean(1)
    assert np.allclose(mean, observations[0].importance[:, 0], atol=1e-3)


def test_held_out_images_are_compared_and_drawn(coco: tuple[Path, Path], backbone: Backbone, tmp_path: Path) -> None:
    images = single_object_images(*coco, ignore_below=0.01).images
    observations = calibrating.observe_all(backbone, images, tmp_path / "out", CONFIG)
    choosing, testing = calibrating.split(observations, 0.34)
    assert ([one.image for one in choosing], [one.image for one in testing]) == (["1", "2"], ["6"])
    selection = calibrating.calibrate(backbone, choosing, CONFIG)
    compared = calibrating.compare(backbone, selection, testing, CONFIG)
    assert list(compared) == ["calibrated", "depth band", "all layers"]
    assert compared["all layers"].layers == backbone.card.attention_layers
    assert compared["calibrated"].lead.value == 0
    lead = compared["calibrated"].precision.value - compared["all layers"].precision.value
    assert compared["all layers"].lead.value == pytest.approx(lead)
    assert all(0 <= one.iou.value <= one.precision.value <= 1 for one in compared.values())
    calibrating.draw(selection, tmp_path / "layers.png")
    layers = backbone.card.attention_layers
    calibrating.draw_overlays(images, observations, selection, layers, tmp_path / "overlays.png", budget=0.2)
    assert (tmp_path / "layers.png").stat().st_size > 1000
    assert (tmp_path / "overlays.png").stat().st_size > 1000


def test_nothing_held_out() -> None:
    assert calibrating.split([], 0) == ([], [])


def test_real_coco_masks(data: Path) -> None:
    folder = data / "coco_seg"
    found = single_object_images(folder / "images", folder / "annotations/instances_coco.json").images
    assert len(found) == 30
    info = json.loads((folder / "annotations/instances_coco.json").read_text())
    names = {entry["id"]: entry["file_name"] for entry in info["images"]}
    areas = {names[entry["image_id"]]: entry["area"] for entry in info["annotations"] if entry["area"] > 0}
    for image in found[:5]:
        assert image.mask.sum() == pytest.approx(areas[image.path.name], rel=0.05)


def test_selection_needs_the_layers_of_the_model(coco: tuple[Path, Path], backbone: Backbone, tmp_path: Path) -> None:
    observations = calibrating.observe_all(backbone, single_object_images(*coco).images, tmp_path, CONFIG)
    selection = select_layers(
        observations, backbone.fingerprint, backbone.card.attention_layers, decoder="d", budget=0.2
    )
    assert {score.layer for score in selection.scores} == set(backbone.card.attention_layers)
