"""Several pictures at once are encoded and described as each alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ego.backbones.base import Generation, Record, Request
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.pictures_together import PicturesTogether
from ego.concept import Concept
from ego.config import EgoConfig
from ego.personalizer import Ego
from ego.prompt import introduction_prompt
from tests.backbones import tiny
from tests.backbones.test_branches import ROWS, counted

pytestmark = pytest.mark.thorough

PICTURES = [tiny.picture(seed=3), tiny.picture(seed=4), tiny.picture(50, 120, seed=5), tiny.picture(seed=6)]
LIMIT = 8
QUESTION = "describe the main subject"


@pytest.fixture
def fresh(load: Callable[..., HuggingFaceBackbone], family: str) -> HuggingFaceBackbone:
    """Every family in turn, nothing tried yet."""
    backbone = load(family)
    backbone._together = PicturesTogether(backbone.runner, backbone.images)
    return backbone


def together(backbone: HuggingFaceBackbone) -> list[Generation]:
    prompts = [introduction_prompt(one, QUESTION) for one in backbone.encode_together(PICTURES)]
    prefixes = backbone.prefill_together(prompts, 1)
    record = Record(backbone.card.attention_layers, part=0)
    asked = [Request(one, LIMIT, prefix, record=record) for one, prefix in zip(prompts, prefixes, strict=True)]
    found = dict(backbone.generate_together(asked))
    answers = [found[number] for number in range(len(asked))]
    assert all(isinstance(one, Generation) for one in answers)
    return [one for one in answers if isinstance(one, Generation)]


def alone(backbone: HuggingFaceBackbone) -> list[Generation]:
    prompts = [introduction_prompt(backbone.encode_image(one), QUESTION) for one in PICTURES]
    record = Record(backbone.card.attention_layers, part=0)
    return [backbone.generate(prompt, max_new_tokens=LIMIT, record=record) for prompt in prompts]


def test_pictures_are_encoded_as_each_alone(fresh: HuggingFaceBackbone) -> None:
    for one, picture in zip(fresh.encode_together(PICTURES), PICTURES, strict=True):
        expected = fresh.encode_image(picture)
        torch.testing.assert_close(one.rows, expected.rows, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(one.deepstack, expected.deepstack, atol=1e-5, rtol=1e-5)
        assert (one.markup, one.grid) == (expected.markup, expected.grid)
        assert (one.boxes is None) == (expected.boxes is None)
        assert one.boxes is None or torch.equal(one.boxes, torch.as_tensor(expected.boxes))


def test_answers_and_attention_are_those_of_each_alone(fresh: HuggingFaceBackbone, family: str) -> None:
    for _ in range(2):  # the first time, one of each batch is tried alone
        with counted(fresh.model) as passes:
            said = together(fresh)
        for one, expected in zip(said, alone(fresh), strict=True):
            assert one.token_ids.tolist() == expected.token_ids.tolist()
            assert (one.text, one.spans, one.prompt_tokens) == (expected.text, expected.spans, expected.prompt_tokens)
            torch.testing.assert_close(one.first_logits, expected.first_logits, atol=1e-4, rtol=1e-4)
            assert (one.attention is None) == (expected.attention is None)
            if one.attention is not None and expected.attention is not None:
                torch.testing.assert_close(one.attention, expected.attention, atol=1e-5, rtol=1e-4)
    assert fresh._together._apart["prompts"] == (family not in ROWS)
    assert any(rows > 1 and tokens > 1 for rows, tokens in passes) == (family not in ROWS)  # pictures read together


def test_answers_end_each_in_its_own_time(internvl: HuggingFaceBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = [one.token_ids.tolist() for one in alone(internvl)]
    end = next(token for token in usual[0] if any(token not in other for other in usual[1:]))
    monkeypatch.setattr(internvl.model.generation_config, "eos_token_id", [end])
    expected = alone(internvl)
    assert len({len(one.token_ids) for one in expected}) > 1
    for one, other in zip(together(internvl), expected, strict=True):
        assert one.token_ids.tolist() == other.token_ids.tolist()
        if one.attention is None or other.attention is None:
            assert one.attention is other.attention
        else:
            torch.testing.assert_close(one.attention, other.attention, atol=1e-5, rtol=1e-4)


def test_a_model_that_mixes_rows_is_not_believed(
    internvl: HuggingFaceBackbone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = alone(internvl)
    fresh = PicturesTogether(internvl.runner, internvl.images)
    forward, encode = internvl.runner.forward, internvl.images.of

    def mixed(arguments: dict[str, Any], cache: Any, *, keep: Any) -> Any:
        output = forward(arguments, cache, keep=keep)
        if len(output.logits) > 1 and arguments["input_ids"].shape[1] > 1:
            output.logits = output.logits.flip(0)
        return output

    monkeypatch.setattr(internvl.runner, "forward", mixed)
    monkeypatch.setattr(internvl.images, "of", lambda pictures: encode(pictures)[::-1])
    monkeypatch.setattr(internvl, "_together", fresh)
    assert [one.token_ids.tolist() for one in together(internvl)] == [one.token_ids.tolist() for one in expected]
    assert fresh._apart == {"pictures": False, "prompts": False}
    assert "does not keep pictures of one batch apart" in caplog.text


def test_a_concept_of_several_photos_is_introduced_as_photo_by_photo(load: Callable[..., HuggingFaceBackbone]) -> None:
    personal = Ego(load("qwen2_5_vl"), config=EgoConfig(description_tokens=LIMIT))
    whole = personal.build(Concept("Bo", images=PICTURES))
    several = personal.build_many([Concept(f"Bo {number}", images=[one]) for number, one in enumerate(PICTURES)])
    for number, picture in enumerate(PICTURES):
        (view,) = personal.build(Concept("Bo", images=[picture])).views
        for other in (whole.views[number], several[number].views[0]):
            assert (other.description, other.kept, other.area_answer) == (view.description, view.kept, view.area_answer)
    rows = torch.cat([one.tokens.rows for one in several])
    torch.testing.assert_close(rows, whole.tokens.rows, atol=1e-5, rtol=1e-5)
