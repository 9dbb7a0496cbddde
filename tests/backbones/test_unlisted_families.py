"""Models that stand in no list here: their prompts are their processor's own, or one clear error says why not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from ego.backbones import load_backbone
from ego.backbones.families import REFUSED, families
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.image_preparation import TOKENS_BY_DEFAULT
from ego.backbones.parity import compare_prompts
from ego.backbones.self_check import check
from ego.backbones.tolerance import relative_difference
from ego.errors import BackboneError
from ego.prompt import Prompt, SoftTokens, Text, Turn, introduction_prompt
from tests.backbones import tiny
from tests.backbones.unlisted import EXACT, UNLISTED_MINIATURES

pytestmark = pytest.mark.thorough

REASONS = {
    "ernie4_5_vl_moe": "marks every token of a prompt by moe_mm_token_type_ids, which Ego does not write for memories",
    "hunyuan_vl": r"makes \d+ visual tokens of \d+ rows of \d+; models with marks among the tokens",
}
KINDS = tuple(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)


def test_they_stand_in_no_list() -> None:
    listed = {kind for family in families() for kind in family.model_types} | set(REFUSED)
    assert not {tiny.MINIATURES[name].config(name).model_type for name in UNLISTED_MINIATURES} & listed
    assert {*EXACT, *REASONS} == set(UNLISTED_MINIATURES)


@pytest.mark.parametrize("name", EXACT)
def test_prompts_logits_and_memories_are_exact(load: Callable[..., HuggingFaceBackbone], name: str) -> None:
    backbone = load(name)
    assert backbone.card.family == "unknown"
    assert not [one for one in compare_prompts(backbone) if one.difference]
    assert check(backbone) < 1e-4
    image = backbone.encode_image(tiny.picture())
    seen = introduction_prompt(image, "describe")
    remembered = Prompt((Turn("user", (SoftTokens(image), Text("describe"))),))
    assert torch.equal(backbone.lay_out(remembered)[1].ids, backbone.lay_out(seen)[1].ids)
    reused = backbone.next_token_logits([seen], prefix=backbone.prefill(seen, 1))[0]
    assert relative_difference(reused, backbone.next_token_logits([seen])[0]) < 1e-4


def test_a_large_photo_is_limited_though_no_knob_is_known(load: Callable[..., HuggingFaceBackbone]) -> None:
    assert 700 < len(load("exaone4_5").encode_image(tiny.picture(4000, 3000))) <= TOKENS_BY_DEFAULT


@pytest.mark.parametrize("name", REASONS)
def test_what_cannot_be_exact_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(BackboneError, match=REASONS[name]):
        load_backbone(tiny.save(name, tmp_path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_bare_configuration_of_every_kind_is_one_clear_error(tmp_path: Path, kind: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(BackboneError):
        load_backbone(tmp_path)
