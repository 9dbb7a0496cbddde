"""Memories move between number formats and folders of one checkpoint, never between checkpoints or image settings."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing._internal.two_tensor import TwoTensor

from ego.backbones import load_backbone
from ego.backbones.fingerprint import _spots, decoder_digest, weights_digest
from ego.backbones.huggingface import HuggingFaceBackbone
from tests.backbones import tiny

FAMILY = "internvl3"


def test_loading_twice_gives_the_same_fingerprint(
    backbone: HuggingFaceBackbone, checkpoint: Callable[[str], Path], family: str
) -> None:
    again = load_backbone(checkpoint(family), self_check=False)
    assert again.fingerprint == backbone.fingerprint
    assert (again.fingerprint.dim, again.fingerprint.model_type) == (tiny.WIDTH, backbone.model.config.model_type)


def test_number_format_and_folder_do_not_matter(tmp_path: Path) -> None:
    saved = tiny.save(FAMILY, tmp_path / "one")
    tiny.make_model(FAMILY).to(torch.bfloat16).save_pretrained(saved)
    full = load_backbone(saved, dtype="float32", self_check=False)
    saved.rename(tmp_path / "two")
    half = load_backbone(tmp_path / "two", dtype="bfloat16", self_check=False)
    assert full.fingerprint.accepts(half.fingerprint)
    assert full.fingerprint.model_id != half.fingerprint.model_id


def test_other_weights_of_the_tower_projector_or_embedding_matter() -> None:
    model = tiny.make_model(FAMILY)
    base = model.base_model
    digests = {weights_digest(model)}
    for part in (base.vision_tower, base.multi_modal_projector, model.get_input_embeddings()):
        next(part.parameters()).data.add_(0.5)
        digests.add(weights_digest(model))
    assert len(digests) == 4


def test_the_language_model_alone_does_not_matter() -> None:
    model = tiny.make_model(FAMILY)
    before = weights_digest(model)
    model.get_decoder().layers[0].self_attn.q_proj.weight.data.mul_(2)
    assert weights_digest(model) == before


def test_image_settings_matter(load: Callable[..., HuggingFaceBackbone]) -> None:
    one, many = load(FAMILY).fingerprint, load(FAMILY, max_visual_tokens=16 * 13).fingerprint
    assert one.weights == many.weights
    assert not one.accepts(many)


def test_offloaded_weights_are_read(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    whole = load_backbone(checkpoint(FAMILY), self_check=False)
    places = {"model.language_model": "cpu", "model.vision_tower": "disk", "lm_head": "cpu"}
    model = tiny.transformers.AutoModelForImageTextToText.from_pretrained(
        checkpoint(FAMILY),
        device_map={**places, "model.multi_modal_projector": "cpu"},
        offload_folder=tmp_path,
        dtype=torch.float32,
    )
    assert any(parameter.is_meta for parameter in model.base_model.vision_tower.parameters())
    assert weights_digest(model) == whole.fingerprint.weights


def test_a_changed_decoder_is_another_decoder_but_accepts_the_same_memories() -> None:
    model = tiny.make_model(FAMILY)
    before = decoder_digest(model)
    next(model.base_model.vision_tower.parameters()).data.add_(0.5)
    assert decoder_digest(model) == before
    model.get_decoder().layers[0].self_attn.q_proj.weight.data.mul_(2)
    assert decoder_digest(model) != before


def test_quantized_weights_have_a_stable_digest() -> None:
    """FP8 parameters, packed integers in buffers (AWQ, GPTQ), tensors made of several (torchao)."""
    digests = []
    for change in (0, 0, 1, 2, 3):
        model = tiny.make_model(FAMILY)
        first, second, third = [part for part in model.base_model.vision_tower.modules() if type(part) is nn.Linear][:3]
        first.weight = nn.Parameter((first.weight + (change == 1)).to(torch.float8_e4m3fn), requires_grad=False)
        packed = torch.arange(64, dtype=torch.int32) + (change == 2)
        del second.weight
        second.register_buffer("qweight", packed)
        third.weight = nn.Parameter(
            TwoTensor(third.weight.data, third.weight.data + (change == 3)), requires_grad=False
        )
        digests.append(weights_digest(model))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


@pytest.mark.parametrize("size", [0, 1, 2, 63, 64, 65, 2**24 + 4, 151_674 * 5_120])
def test_values_are_read_from_first_to_last_of_parameters_of_any_size(size: int) -> None:
    spots = _spots(size)
    assert spots == sorted(set(spots))
    assert len(spots) == min(64, size)
    if size:
        assert (spots[0], spots[-1]) == (0, size - 1)
