"""Several answers at once are those of each prompt alone, whatever its neighbours."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ego.backbones.answers_together import can_speak_together
from ego.backbones.base import Generation, Request
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.errors import ContextBudgetError
from ego.prompt import Picture, Prompt, Text, Turn, introduction_prompt
from tests.backbones import tiny
from tests.backbones.test_contract import QUESTIONS, exact, query

LIMITS = (3, 9, 6, 9)


def prompts(backbone: HuggingFaceBackbone) -> list[Prompt]:
    picture = backbone.encode_image(tiny.picture(seed=3))
    words = Prompt((Turn("user", (Text("Hello"),)), Turn("assistant", (Text("Yes"),)), Turn("user", (Text("Who?"),))))
    late = Prompt((Turn("user", (Text("Look at this."), Picture(picture), Text("and say what it is"))),))
    return [query(backbone, QUESTIONS[0]), words, introduction_prompt(picture, QUESTIONS[1]), late]


def test_answers_are_those_of_each_prompt_alone(
    backbone: HuggingFaceBackbone, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prompts(backbone)
    prefixes = [backbone.prefill(asked[0], 3), None, backbone.prefill(asked[2], 1), None]
    expected: list[list[str]] = [[] for _ in asked]
    alone = [
        backbone.generate(prompt, max_new_tokens=limit, prefix=prefix, on_text=pieces.append)
        for prompt, limit, prefix, pieces in zip(asked, LIMITS, prefixes, expected, strict=True)
    ]
    steps, passes = backbone.runner.steps, 0

    def step(*given: Any, **more: Any) -> Any:
        nonlocal passes
        passes += 1
        return steps(*given, **more)

    monkeypatch.setattr(backbone.runner, "steps", step)
    heard: list[list[str]] = [[] for _ in asked]
    given = zip(asked, LIMITS, prefixes, heard, strict=True)
    together = dict(backbone.generate_together([Request(*three, one.append) for *three, one in given]))
    assert heard == expected
    for number, other in enumerate(alone):
        said = together.pop(number)
        assert isinstance(said, Generation)
        assert said.token_ids.tolist() == other.token_ids.tolist()
        assert (said.text, said.spans, said.prompt_tokens) == (other.text, other.spans, other.prompt_tokens)
        torch.testing.assert_close(said.first_logits, other.first_logits, atol=exact(family), rtol=0)
    longest = max(len(one.token_ids) for one in alone)
    shared = can_speak_together(backbone.runner.can)
    assert (0 < passes <= longest) if shared else passes == 0


def test_what_ends_one_answer_ends_no_other(load: Callable[..., HuggingFaceBackbone]) -> None:
    backbone = load("internvl3")
    words, picture = prompts(backbone)[1:3]
    expected = backbone.generate(picture, max_new_tokens=9)
    long = Prompt((Turn("user", (Text("word " * backbone.card.context_length),)),))

    class LeftError(Exception):
        pass

    def leave(piece: str) -> None:
        raise LeftError

    requests = [Request(words, 9, on_text=leave), Request(long, 9), Request(picture, 9)]
    ended = list(backbone.generate_together(requests))
    assert [number for number, _ in ended] == [1, 0, 2]  # each as soon as it can
    _, left, said = (one for _, one in ended)
    refused = ended[0][1]
    assert isinstance(left, LeftError)
    assert isinstance(refused, ContextBudgetError)
    assert isinstance(said, Generation)
    assert said.text == expected.text
    assert list(backbone.generate_together([])) == []


def test_no_more_is_held_at_once_than_fits(
    load: Callable[..., HuggingFaceBackbone], monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load("internvl3")
    asked = prompts(backbone)
    alone = [backbone.generate(prompt, max_new_tokens=6).text for prompt in asked]
    monkeypatch.setattr("ego.backbones.answers_together.BATCH_TOKENS", 1)
    rows: list[int] = []
    steps = backbone.runner.steps

    def step(words: Any, *given: Any, **more: Any) -> Any:
        rows.append(len(words))
        return steps(words, *given, **more)

    monkeypatch.setattr(backbone.runner, "steps", step)
    together = dict(backbone.generate_together([Request(prompt, 6) for prompt in asked]))
    assert [together[number].text for number in range(len(asked))] == alone  # type: ignore[union-attr]
    assert rows == []
