"""Answers never begin inside a thought."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ego.backbones import answering, load_backbone
from ego.backbones.base import Record
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.recording import recorder_of
from ego.backbones.self_check import settle_thoughts
from ego.backbones.thinking import Thought, closed_thought
from ego.errors import BackboneError
from ego.prompt import Prompt, Text, Turn, introduction_prompt
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


def scripted(backbone: HuggingFaceBackbone, follows: dict[str, str]) -> HuggingFaceBackbone:
    """Make every token be followed by a given one: layers add nothing, and the head looks it up."""
    follows = {"\n": "<think>", **follows}
    with torch.no_grad():
        for layer in backbone.model.get_decoder().layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        directions = torch.nn.functional.normalize(backbone.model.get_input_embeddings().weight, dim=-1)
        head = torch.zeros_like(directions)
        for one, next_one in follows.items():
            head[only_token(backbone, next_one)] += 3 * directions[only_token(backbone, one)]
    backbone.model.lm_head.weight = torch.nn.Parameter(head)
    return backbone


def only_token(backbone: HuggingFaceBackbone, text: str) -> int:
    (token,) = backbone.chat.tokenizer(text, add_special_tokens=False)["input_ids"]
    return int(token)


THINKS = {"<think>": "w", "w": "h", "h": "</think>", "</think>": "<box>", "<box>": "Y", "Y": "d", "d": "<|im_end|>"}


@pytest.fixture
def thinker(checkpoint: Callable[[str], Path]) -> HuggingFaceBackbone:
    """A model that thinks two letters before every answer, whatever the prompt ends with."""
    backbone = load_backbone(checkpoint(FAMILY), self_check=False)
    assert isinstance(backbone, HuggingFaceBackbone)
    settle_thoughts(scripted(backbone, THINKS))
    return backbone


def test_answers_are_read_behind_a_thought_that_no_template_closes(thinker: HuggingFaceBackbone) -> None:
    assert thinker.thought == Thought("<think>", "</think>", left_open=False)
    assert shown(thinker).endswith("<|im_start|>assistant\n")
    pieces: list[str] = []
    record = Record(thinker.card.attention_layers, part=0)
    asked = introduction_prompt(thinker.encode_image(tiny.picture()), "Who is Bo?")
    said = thinker.generate(asked, max_new_tokens=5, record=record, on_text=pieces.append)
    assert (said.text, "".join(pieces)) == ("Yd", "Yd")
    assert int(said.first_logits.argmax()) == only_token(thinker, "Y")
    assert said.attention is not None
    assert said.attention.shape[2] == 2
    assert said.prompt_tokens == thinker.count_tokens(asked)


def test_rows_behind_a_thought_are_those_of_one_pass_over_all_of_it(thinker: HuggingFaceBackbone) -> None:
    prompt = introduction_prompt(thinker.encode_image(tiny.picture()), "Who is Bo?")
    record = Record(thinker.card.attention_layers, part=0)
    said = thinker.generate(prompt, max_new_tokens=5, record=record)
    chat, tokens = thinker.lay_out(prompt)
    thought = tokens.then([only_token(thinker, text) for text in ("<think>", "w", "h", "</think>", "<box>")])
    can, modules = thinker.runner.can, thinker._probe.modules
    recorder = recorder_of(record, prompt, chat, can, modules, first=len(thought), seen=0)
    with thinker._probe.recording(recorder):
        thinker.runner.run(thought.then(said.token_ids.tolist()), None)
    assert said.attention is not None
    assert torch.allclose(said.attention, recorder.attention(), atol=1e-5)


def test_recognition_reads_yes_and_no_behind_the_thought(thinker: HuggingFaceBackbone) -> None:
    prompts = [introduction_prompt(thinker.encode_image(tiny.picture(seed=seed)), "Is Bo?") for seed in range(2)]
    prefix = thinker.prefill(prompts[0], 1)
    assert thinker.next_token_logits(prompts).argmax(-1).tolist() == [only_token(thinker, "Y")] * 2
    assert int(thinker.next_token_logits(prompts[:1], prefix=prefix).argmax()) == only_token(thinker, "Y")
    assert only_token(thinker, "Y") in thinker.word_ids(["Y"])


def test_an_answer_without_a_thought_is_taken_as_it_is(thinker: HuggingFaceBackbone) -> None:
    scripted(thinker, {**THINKS, "\n": "Y"})
    assert thinker.generate(ASKED, max_new_tokens=3).text == "Yd"


def test_words_of_the_user_are_read_without_a_thought(thinker: HuggingFaceBackbone) -> None:
    said = thinker.generate(ASKED, max_new_tokens=1, forced_text="dog")
    assert said.text == "dog"


def test_a_thought_that_the_template_opens_is_read_to_its_end(tmp_path: Path) -> None:
    backbone = with_template(tmp_path, "<|im_start|>assistant\n<think>\n{% endif %}")
    scripted(backbone, {**THINKS, "\n": "<think>"})
    settle_thoughts(backbone)
    assert backbone.thought == Thought("<think>", "</think>", left_open=True)
    assert shown(backbone).endswith("assistant\n<think>\n")
    assert backbone.generate(ASKED, max_new_tokens=3).text == "Yd"


def test_a_thought_without_an_end_is_an_error(thinker: HuggingFaceBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "LONGEST_THOUGHT", 20)
    scripted(thinker, {**THINKS, "h": "w"})
    for ask in (lambda: thinker.generate(ASKED, max_new_tokens=3), lambda: thinker.next_token_logits([ASKED])):
        with pytest.raises(BackboneError, match="thought for 20 tokens and came to no end; ask something simpler"):
            ask()
    scripted(thinker, {**THINKS, "h": "<|im_end|>"})
    with pytest.raises(BackboneError, match="ended its turn within a thought"):
        thinker.generate(ASKED, max_new_tokens=3)
