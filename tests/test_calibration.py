"""Ranking layers by hand-made observations, and saving what was chosen for the model it belongs to."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from ego import calibration, own_layers
from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from ego.calibration import (
    Observation,
    chosen,
    observe,
    overlap,
    overlap_of_layers,
    saved_layers,
    select_layers,
)
from ego.config import EgoConfig
from ego.errors import ConfigError
from ego.memory import Fingerprint
from tests.backbones.tiny import picture, save

FINGERPRINT = Fingerprint(
    model_id="m", revision="", model_type="t", dim=8, weights="w" * 64, processor="p", transformers="5"
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep calibrations of the tests away from the user's."""
    monkeypatch.setattr(own_layers, "user_data_path", lambda _: tmp_path / "data")
    monkeypatch.setattr(calibration, "SHIPPED", tmp_path / "layers.json")
    saved_layers.cache_clear()
    return tmp_path


def seen(name: str, *layers: list[float], on_object: list[bool]) -> Observation:
    """An observation of four tokens in a row, one head."""
    count = len(on_object)
    boxes = torch.tensor([[place / count, 0, (place + 1) / count, 1] for place in range(count)])
    everywhere = torch.ones(count, dtype=torch.bool)
    return Observation(name, "a dog", torch.tensor(layers)[:, None], torch.tensor(on_object), everywhere, boxes)


LEFT = [True, True, False, False]
GOOD, HALF, BAD = [0.9, 0.8, 0.1, 0.0], [0.9, 0.0, 0.8, 0.1], [0.0, 0.1, 0.8, 0.9]


def test_overlap_by_hand() -> None:
    one = seen("a", GOOD, HALF, BAD, on_object=LEFT)
    found = [overlap(one, one.importance[layer, 0], budget=1.0) for layer in range(3)]
    assert [(one.precision, one.iou) for one in found] == [(1, 1), (0.5, 1 / 3), (0, 0)]


def test_the_budget_caps_the_number_of_tokens() -> None:
    one = seen("a", GOOD, on_object=LEFT)
    assert chosen(one, one.importance[0, 0], budget=0.25).tolist() == [0]
    assert overlap(one, one.importance[0, 0], budget=0.25).iou == 0.5


def test_layers_are_ranked_by_precision_then_iou() -> None:
    observations = [seen(name, BAD, HALF, GOOD, on_object=LEFT) for name in "ab"]
    selection = select_layers(observations, FINGERPRINT, [1, 3, 5], decoder="d", budget=1.0, keep=2)
    assert [score.layer for score in selection.scores] == [5, 3, 1]
    assert selection.layers == (3, 5)
    assert selection.object_share == 0.5
    assert selection.heads == ()


def test_small_models_keep_at_most_a_third_of_their_layers() -> None:
    observations = [seen("a", *[GOOD] * 6, on_object=LEFT)]
    assert len(select_layers(observations, FINGERPRINT, range(6), decoder="d", budget=1.0).layers) == 2
    many = [seen("a", *[GOOD] * 48, on_object=LEFT)]
    assert len(select_layers(many, FINGERPRINT, range(48), decoder="d", budget=1.0).layers) == 5


def test_heads_are_ranked_when_they_were_kept() -> None:
    one = seen("a", GOOD, on_object=LEFT)
    heads = Observation("a", "", torch.tensor([[BAD, GOOD], [HALF, BAD]]), one.on_object, one.spatial, one.boxes)
    selection = select_layers([heads], FINGERPRINT, [4, 7], decoder="d", budget=1.0)
    assert [(score.layer, score.head) for score in selection.heads[:2]] == [(4, 1), (7, 0)]


def test_several_layers_are_averaged_as_the_method_does() -> None:
    one = seen("a", [0.9, 0.0, 0.1, 0.0], [0.0, 0.9, 0.1, 0.0], on_object=LEFT)
    assert overlap_of_layers([one], [0, 1], budget=1.0)[0].precision == 1
    assert overlap_of_layers([one], [0], budget=1.0)[0].precision == 0.5


def test_images_without_object_tokens_say_nothing() -> None:
    nothing = seen("a", GOOD, on_object=[False] * 4)
    assert (
        select_layers([nothing, seen("b", GOOD, on_object=LEFT)], FINGERPRINT, [0], decoder="d", budget=1.0).images == 1
    )
    with pytest.raises(ConfigError, match="no image has a visual token"):
        select_layers([nothing], FINGERPRINT, [0], decoder="d", budget=1.0)


# -- saved and found


def selection(fingerprint: Fingerprint = FINGERPRINT) -> calibration.LayerSelection:
    return select_layers([seen("a", BAD, GOOD, on_object=LEFT)], fingerprint, [0, 1], decoder="d", budget=1.0)


def test_a_saved_selection_is_found_for_its_model_only() -> None:
    assert saved_layers(FINGERPRINT, "d") is None
    selection().save()
    assert saved_layers(FINGERPRINT, "d") == (1,)
    assert saved_layers(FINGERPRINT.model_copy(update={"processor": "other", "model_id": "elsewhere"}), "d") == (1,)
    assert saved_layers(FINGERPRINT.model_copy(update={"weights": "x" * 64}), "d") is None
    assert saved_layers(FINGERPRINT, "another decoder over the same visual tokens") is None


def test_a_models_folder_may_bring_its_layers(own_folder: Path) -> None:
    here = selection()
    here = here.model_copy(
        update={"fingerprint": here.fingerprint.model_copy(update={"model_id": str(own_folder / "m")})}
    )
    assert saved_layers(here.fingerprint, here.decoder) is None
    (own_folder / "m").mkdir()
    here.save(own_folder / "m/layers.json")
    saved_layers.cache_clear()
    assert saved_layers(here.fingerprint, here.decoder) == here.layers


def test_the_users_calibration_wins_over_the_shipped_one(own_folder: Path) -> None:
    shipped = selection().model_copy(update={"layers": (0,)})
    shipped.save(own_folder / "layers.json")
    assert saved_layers(FINGERPRINT, "d") == (0,)
    selection().save()
    assert saved_layers(FINGERPRINT, "d") == (1,)


def test_published_layers_come_with_their_uncertainty(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert saved_layers(FINGERPRINT.model_copy(update={"model_id": "OpenGVLab/InternVL3-14B-hf"}), "d") == (
            *(29, 30, 35),
            *(36, 39),
        )
    assert "does not say whether it counts from 0 or 1" in caplog.text
    for other in ("/models/not-InternVL3-14B-hf", "me/InternVL3-14B-hf-tuned"):
        assert saved_layers(FINGERPRINT.model_copy(update={"model_id": other}), "d") is None


def test_a_damaged_file_is_left_aside(own_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (own_folder / "layers.json").write_text("{}")
    assert saved_layers(FINGERPRINT, "d") is None
    assert "is no layer selection" in caplog.text


# -- with a model


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = save("idefics3", tmp_path_factory.mktemp("model") / "idefics3", gain=2.0)
    return load_backbone(folder, device="cpu", self_check=False)


def test_observing_an_image(backbone: Backbone) -> None:
    image = picture()
    mask = np.zeros(image.size[::-1], dtype=bool)
    mask[:, : image.width // 2] = True
    one = observe(backbone, "left half", image, mask, EgoConfig(description_tokens=6))
    layers, heads, tokens = one.importance.shape
    assert layers == len(backbone.card.attention_layers)
    assert tokens == len(one.boxes)
    left = one.boxes[:, 2] <= 0.5 + 1e-6
    assert one.on_object[left].all()
    assert not one.on_object[one.boxes[:, 0] >= 0.5].any()
    assert heads > 1
