"""Every family of the table: its own prompts, its own logits, places, and the limit of tokens, in one model each."""

from collections.abc import Callable

import pytest
import torch

from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.parity import compare_prompts
from ego.backbones.self_check import check
from ego.prompt import Prompt, SoftTokens, Text, Turn, introduction_prompt
from tests.backbones import tiny
from tests.backbones.further import FURTHER
from tests.backbones.test_geometry import assert_spots_are_found

SIZES = [(3000, 40), (100, 150), (700, 100), (64, 64), (640, 480)]


@pytest.mark.parametrize("name", FURTHER)
def test_prompts_logits_places_and_memories_of_a_family(load: Callable[..., HuggingFaceBackbone], name: str) -> None:
    backbone = load(name)
    assert backbone.card.has_geometry
    assert not [found for found in compare_prompts(backbone) if found.difference]
    assert check(backbone) < 1e-4
    assert_spots_are_found(backbone, (160, 96))
    tokens = backbone.encode_image(tiny.picture())
    remembered = Prompt((Turn("user", (SoftTokens(tokens), Text("describe"))),))
    seen = introduction_prompt(tokens, "describe")
    same = torch.equal(backbone.lay_out(remembered)[1].ids, backbone.lay_out(seen)[1].ids)
    assert same, "a memory of all tokens stands in the runs of its image"
    said = backbone.generate(seen, max_new_tokens=3, prefix=backbone.prefill(seen, 1))
    assert said.prompt_tokens == backbone.count_tokens(seen)


@pytest.mark.parametrize("limit", [16, 64])
@pytest.mark.parametrize("name", ["qwen2_vl", "glm4v", "qwen2_5_vl", "mistral3", "qwen3_vl"])
def test_the_limit_holds_for_every_size(load: Callable[..., HuggingFaceBackbone], name: str, limit: int) -> None:
    backbone = load(name, max_visual_tokens=limit, self_check=False)
    counts = [len(backbone.encode_image(tiny.picture(*size))) for size in SIZES]
    assert max(counts) <= limit
    assert max(counts) > limit / 2
