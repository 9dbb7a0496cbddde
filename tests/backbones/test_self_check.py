"""The check at load finds what drifted."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path

import pytest

from ego.backbones import load_backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.self_check import check
from ego.errors import SelfCheckError


@pytest.fixture
def fresh(checkpoint: Callable[[str], Path]) -> Callable[[str], HuggingFaceBackbone]:
    """A backbone of one's own, to be broken."""
    return lambda family: load_backbone(checkpoint(family), self_check=False)


def test_a_sound_model_passes(backbone: HuggingFaceBackbone) -> None:
    assert check(backbone) < 1e-4


def test_other_features_than_the_model_uses_are_found(fresh: Callable[[str], HuggingFaceBackbone]) -> None:
    backbone = fresh("internvl3")
    original = backbone.model.get_image_features

    def drifted(*given: object, **named: object) -> object:
        output = original(*given, **named)
        output.pooler_output = output.pooler_output.flip(1)
        return output

    backbone.model.get_image_features = drifted  # what is handed out is not what forward computes
    with pytest.raises(SelfCheckError, match="logits of a plain image and of its own visual tokens differ"):
        check(backbone)


def test_lost_deepstack_features_are_found(fresh: Callable[[str], HuggingFaceBackbone]) -> None:
    backbone = fresh("qwen3_vl")
    backbone.runner.form = type(backbone._form)(backbone._form.output, backbone._form.as_list, levels=0)
    with pytest.raises(SelfCheckError):
        check(backbone)


def test_another_number_of_placeholders_is_found(fresh: Callable[[str], HuggingFaceBackbone]) -> None:
    backbone = fresh("internvl3")
    backbone.chat._processor.image_seq_length = 9
    with pytest.raises(SelfCheckError, match="writes 9 placeholders for an image of 16 visual tokens"):
        check(backbone)


def test_other_rotary_positions_are_found(fresh: Callable[[str], HuggingFaceBackbone]) -> None:
    backbone = fresh("qwen2_5_vl")
    original = backbone.model.base_model.get_rope_index

    @wraps(original)
    def drifted(*given: object, **named: object) -> object:
        places, deltas = original(*given, **named)
        return places + (places > 9), deltas

    backbone.model.base_model.get_rope_index = drifted
    with pytest.raises(SelfCheckError, match="rotary positions"):
        check(backbone)


def test_another_container_is_found(fresh: Callable[[str], HuggingFaceBackbone]) -> None:
    backbone = fresh("gemma3")
    backbone.runner.form = type(backbone._form)(dict, as_list=True, levels=0)
    with pytest.raises(SelfCheckError, match="refuses visual tokens"):
        check(backbone)
