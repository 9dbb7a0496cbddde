"""Steps sent ahead change nothing but how often the host waits."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ego.backbones.base import Generation, Record
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.prompt import introduction_prompt
from tests.backbones import tiny


def said(backbone: HuggingFaceBackbone, monkeypatch: pytest.MonkeyPatch, ahead: int, limit: int) -> Generation:
    monkeypatch.setattr("ego.backbones.answering.steps_ahead", lambda device: ahead)
    prompt = introduction_prompt(backbone.encode_image(tiny.picture(seed=3)), "describe")
    return backbone.generate(prompt, max_new_tokens=limit, record=Record(backbone.card.attention_layers, part=0))


@pytest.mark.thorough
@pytest.mark.parametrize("ended", [False, True], ids=["cut short", "ended by the model"])
def test_the_answer_and_its_rows_are_the_same(
    backbone: HuggingFaceBackbone, monkeypatch: pytest.MonkeyPatch, *, ended: bool
) -> None:
    usual = said(backbone, monkeypatch, ahead=1, limit=10)
    settings = backbone.model.generation_config
    if ended:  # let a word of the middle end the turn
        monkeypatch.setattr(settings, "eos_token_id", int(usual.token_ids[5]))
        usual = said(backbone, monkeypatch, ahead=1, limit=10)
        assert len(usual.token_ids) <= 5
    for ahead in (3, 16):
        other = said(backbone, monkeypatch, ahead=ahead, limit=10)
        assert other.token_ids.tolist() == usual.token_ids.tolist()
        assert (other.text, other.spans) == (usual.text, usual.spans)
        if usual.attention is None:
            assert other.attention is None
        else:
            torch.testing.assert_close(other.attention, usual.attention, atol=0, rtol=0)


@pytest.mark.parametrize("family", ["internvl3", "qwen2_5_vl"])
def test_no_step_makes_the_host_wait(
    load: Callable[..., HuggingFaceBackbone], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load(family)
    steps = backbone.runner.step
    taken = 0

    def step(*args: Any, **options: Any) -> Any:
        nonlocal taken
        taken += 1
        with monkeypatch.context() as patch:
            for reading in ("__bool__", "__int__", "__float__", "item", "tolist"):
                patch.setattr(torch.Tensor, reading, lambda tensor: pytest.fail("a step read a value of the device"))
            return steps(*args, **options)

    monkeypatch.setattr(backbone.runner, "step", step)
    prompt = introduction_prompt(backbone.encode_image(tiny.picture(seed=3)), "describe")
    said = backbone.generate(prompt, max_new_tokens=10)
    assert taken >= len(said.token_ids) - 1 > 1
