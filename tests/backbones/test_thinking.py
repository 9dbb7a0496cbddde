"""Answers never begin inside a thought."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ego.backbones import load_backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.self_check import settle_thoughts
from ego.backbones.thinking import closed_thought
from ego.errors import SelfCheckError
from ego.prompt import Prompt, Text, Turn
from tests.backbones import tiny

FAMILY = "qwen2_5_vl"
ASKED = Prompt((Turn("user", (Text("Who is Bo?"),)),))


def with_template(folder: Path, generation: str) -> HuggingFaceBackbone:
    tiny.save(FAMILY, folder)
    template = tiny.MINIATURES[FAMILY].words.template
    assert "<|im_start|>assistant\n{% endif %}" in template
    (folder / "chat_template.jinja").write_text(template.replace("<|im_start|>assistant\n{% endif %}", generation))
    backbone = load_backbone(folder)
    assert isinstance(backbone, HuggingFaceBackbone)
    return backbone


def shown(backbone: HuggingFaceBackbone) -> str:
    return backbone.chat.shown(backbone.chat.tokenize(ASKED).ids)


def test_a_template_that_can_is_asked_not_to_think(tmp_path: Path) -> None:
    thinks = "{% if enable_thinking is not defined or enable_thinking %}<think>\n{% endif %}"
    switch = f"<|im_start|>assistant\n{thinks}{{% endif %}}"
    assert shown(with_template(tmp_path, switch)).endswith("<|im_start|>assistant\n")


def test_a_thought_left_open_is_closed(tmp_path: Path) -> None:
    backbone = with_template(tmp_path, "<|im_start|>assistant\n<think>\n{% endif %}")
    assert shown(backbone).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    yes = {backbone.chat.shown([token]).strip() for token in backbone.word_ids(["Yes"])}
    assert all("Yes".startswith(word) and word for word in yes)


def test_thoughts_are_closed_as_they_were_opened() -> None:
    assert closed_thought("a") == closed_thought("<think> a") == ""
    assert closed_thought("a<think>") == "\n\n</think>\n\n"
    assert closed_thought("a[THINK]\n") == "\n[/THINK]\n\n"


def test_a_model_that_thinks_by_itself_answers_behind_an_empty_thought(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No trained model is at hand that thinks; its first tokens are put in by what its prompt ends with."""
    backbone = load_backbone(checkpoint(FAMILY), self_check=False)
    assert isinstance(backbone, HuggingFaceBackbone)
    follows = {"": "<think>", "<think>\n\n</think>\n\n": "<box>"}

    def first_tokens(*_: object, **__: object) -> torch.Tensor:
        said = tiny.token(FAMILY, follows.get(backbone.chat.template.closing, "Y"))
        return torch.nn.functional.one_hot(torch.tensor([said]), 2000).float()

    monkeypatch.setattr(backbone, "next_token_logits", first_tokens)
    settle_thoughts(backbone)
    assert shown(backbone).endswith("assistant\n<think>\n\n</think>\n\n<box>")


def test_a_model_that_cannot_be_kept_from_thinking_is_refused(checkpoint: Callable[[str], Path]) -> None:
    backbone = load_backbone(checkpoint(FAMILY), self_check=False)
    assert isinstance(backbone, HuggingFaceBackbone)
    head = backbone.model.lm_head
    bias = torch.zeros(head.out_features)
    bias[tiny.token(FAMILY, "<think>")] = 1000.0
    head.bias = torch.nn.Parameter(bias)
    with pytest.raises(SelfCheckError, match="begins every answer with <think>, even behind an empty thought"):
        settle_thoughts(backbone)
