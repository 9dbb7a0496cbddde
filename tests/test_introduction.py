"""One reference image -> kept tokens, through a real architecture with random weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.concept import Region
from ego.config import EgoConfig
from ego.describe import describe
from ego.errors import InputError, SelectionError
from ego.introduction import Reference, introduce_view
from ego.prompt import DESCRIBE, introduction_prompt
from tests.backbones import tiny
from tests.backbones.tiny import picture

LAYERS = (2, 3)
REFERENCE = Reference(picture(), "d" * 64, keywords="small white dog")


def test_the_kept_tokens_are_the_images_own_most_attended_ones(tiny_backbone: Backbone) -> None:
    config = EgoConfig(dynamic_size=False, budget=0.25)
    view = introduce_view(tiny_backbone, REFERENCE, config, LAYERS)
    image = tiny_backbone.encode_image(REFERENCE.image)
    kept, importance = list(view.record.kept), torch.tensor(view.record.importance)
    assert torch.equal(view.tokens.rows, image.rows[kept])
    assert len(kept) == round(0.25 * len(image))
    assert kept == sorted(kept)
    assert set(kept) == set(importance.topk(len(kept)).indices.tolist())
    assert importance.std() > 0


def test_importance_is_the_mean_of_the_keyword_rows(tiny_backbone: Backbone) -> None:
    config = EgoConfig()
    said = describe(tiny_backbone, REFERENCE.image, config, layers=LAYERS, keywords=REFERENCE.keywords)
    view = introduce_view(tiny_backbone, REFERENCE, config, LAYERS)
    assert said.words.attention is not None
    assert torch.allclose(torch.tensor(view.record.importance), said.words.attention.mean((0, 1, 2)), atol=1e-7)


def test_the_record_explains_the_result(tiny_backbone: Backbone) -> None:
    record = introduce_view(tiny_backbone, REFERENCE, EgoConfig(), LAYERS).record
    assert (record.description, record.description_by) == ("small white dog", "user")
    assert "".join(record.keywords) == "smallwhitedog"
    assert record.keyword_positions == tuple(range(len(record.keywords)))
    assert record.layers == LAYERS
    assert record.size == REFERENCE.image.size
    assert record.candidates == len(record.boxes) == len(record.importance)
    assert record.seconds > 0


def test_without_keywords_the_model_describes_the_image(tmp_path: Path) -> None:
    talkative = load_backbone(tiny.save("qwen2_5_vl", tmp_path))
    record = introduce_view(talkative, replace(REFERENCE, keywords=""), EgoConfig(), LAYERS).record
    assert record.description_by == "model"
    assert record.description
    assert record.keywords
    assert record.area_answer
    assert record.size_rule


def test_a_model_that_says_nothing_is_an_error_with_advice(
    tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = introduction_prompt(tiny_backbone.encode_image(REFERENCE.image), DESCRIBE)
    first = int(tiny_backbone.next_token_logits([prompt])[0].argmax())
    assert isinstance(tiny_backbone, HuggingFaceBackbone)
    monkeypatch.setattr(tiny_backbone.model.generation_config, "eos_token_id", [first])
    with pytest.raises(SelectionError, match="give keywords or a region"):
        introduce_view(tiny_backbone, replace(REFERENCE, keywords=""), EgoConfig(), LAYERS)


@pytest.mark.parametrize("selector", ["uniform", "random", "all"])
def test_the_rivals_of_the_ablation(tiny_backbone: Backbone, selector: str) -> None:
    config = EgoConfig(selector=selector, dynamic_size=False, budget=0.5)
    record = introduce_view(tiny_backbone, REFERENCE, config, LAYERS).record
    assert len(record.kept) == (record.candidates if selector == "all" else 0.5 * record.candidates)


def test_keywords_without_a_word_are_refused(tiny_backbone: Backbone) -> None:
    with pytest.raises(SelectionError, match="give keywords or a region"):
        introduce_view(tiny_backbone, replace(REFERENCE, keywords="..."), EgoConfig(), LAYERS)


def test_a_box_replaces_description_and_area_question(tiny_backbone: Backbone) -> None:
    width, height = REFERENCE.image.size
    left_half = replace(REFERENCE, keywords="", region=Region(box=(0, 0, width / 2, height)))
    record = introduce_view(tiny_backbone, left_half, EgoConfig(budget=1.0), LAYERS).record
    centres = [(record.boxes[position][0] + record.boxes[position][2]) / 2 for position in record.kept]
    assert len(centres) == record.candidates / 2
    assert max(centres) < 0.5
    assert (record.description_by, record.area_percent, record.layers) == ("region", 50.0, ())


def test_a_region_keeps_to_the_budget_and_spreads_over_the_region(tiny_backbone: Backbone) -> None:
    whole = replace(REFERENCE, keywords="", region=Region(box=(0, 0, *REFERENCE.image.size)))
    record = introduce_view(tiny_backbone, whole, EgoConfig(budget=0.25), LAYERS).record
    assert record.kept == (2, 6, 10, 14)
    assert record.selector == "attention"


def test_tiles_show_every_place_once_and_are_kept_in_raster_order(tmp_path: Path) -> None:
    tiled = load_backbone(tiny.save("internvl3", tmp_path), max_visual_tokens=100)
    image = tiled.encode_image(REFERENCE.image)
    assert set(image.view.tolist()) > {0}
    record = introduce_view(tiled, REFERENCE, EgoConfig(dynamic_size=False, budget=0.3), LAYERS).record
    assert all(image.view[position] > 0 for position in record.kept)
    assert len(record.kept) == round(0.3 * int((image.view > 0).sum()))
    corners = [(round(record.boxes[position][1], 6), record.boxes[position][0]) for position in record.kept]
    assert corners == sorted(corners)


def test_a_tiny_mask_still_keeps_the_minimum(tiny_backbone: Backbone) -> None:
    mask = np.zeros(REFERENCE.image.size[::-1], dtype=bool)
    mask[0, 0] = True
    record = introduce_view(
        tiny_backbone, replace(REFERENCE, keywords="", region=Region(mask=mask)), EgoConfig(min_tokens=3), LAYERS
    ).record
    assert len(record.kept) == 3
    assert 0 in record.kept


def test_a_region_of_another_size_is_refused(tiny_backbone: Backbone) -> None:
    with pytest.raises(InputError, match="has shape"):
        introduce_view(tiny_backbone, replace(REFERENCE, region=Region(mask=np.ones((3, 3)))), EgoConfig(), LAYERS)


def test_the_attention_stays_on_the_image_that_was_shown(tiny_backbone: Backbone) -> None:
    other = replace(REFERENCE, image=Image.new("RGB", (160, 96), (200, 30, 30)))
    one, two = (introduce_view(tiny_backbone, each, EgoConfig(), LAYERS) for each in (REFERENCE, other))
    assert one.record.importance != two.record.importance


@pytest.mark.parametrize("selector", ["uniform", "random", "all"])
def test_rivals_need_no_words_and_ask_only_for_the_size(tiny_backbone: Backbone, selector: str) -> None:
    speechless = replace(REFERENCE, keywords="")
    record = introduce_view(tiny_backbone, speechless, EgoConfig(selector=selector), LAYERS).record
    assert (record.description, record.description_by, record.layers) == ("", "none", ())
    assert len(record.kept) == (record.candidates if selector == "all" else EgoConfig().min_tokens)
    with_words = EgoConfig(selector=selector, always_describe=True)
    assert introduce_view(tiny_backbone, speechless, with_words, LAYERS).record.description_by == "model"


def test_random_tokens_differ_from_picture_to_picture_and_stay_the_same_for_one(tiny_backbone: Backbone) -> None:
    def kept(digest: str) -> tuple[int, ...]:
        reference = replace(REFERENCE, keywords="", digest=digest)
        return introduce_view(tiny_backbone, reference, EgoConfig(selector="random"), LAYERS).record.kept

    assert kept("a" * 64) == kept("a" * 64)
    assert kept("a" * 64) != kept("b" * 64)
