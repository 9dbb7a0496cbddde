"""Greedy decoding that leaves the device alone: tokens are read from it several at a time, not one by one.

Reading a token makes the host wait until the device is done, and the device then waits for the host to send the next
step. So on an accelerator a few steps are sent ahead, each fed with the token before it where it lies; what was run
beyond the end of the turn is thrown away.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ego.backbones.runner import Runner

STEPS_AHEAD = 8
"""Steps sent to an accelerator before their tokens are read; at most one less is wasted at the end of an answer."""


@dataclass(frozen=True, eq=False)
class Beginning:
    """What decoding goes on from.

    Attributes:
        scores: Logits of the first token.
        cache: What the prompt left, not shared with anyone.
        position: Tokens before the first one.
        place: Its rotary position.
        thought: How many of the tokens before it are the model's own thought.
    """

    scores: Tensor
    cache: Any
    position: int
    place: int
    thought: int = 0


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Collect the tokens that end a turn, as the model's generation settings and its tokenizer name them."""
    named = model.generation_config.eos_token_id
    ends = named if isinstance(named, list) else [named]
    return frozenset(token for token in [*ends, tokenizer.eos_token_id] if token is not None)


def steps_ahead(device: torch.device) -> int:
    """Say how many steps to send before reading; a CPU has nothing to wait for."""
    return 1 if device.type == "cpu" else STEPS_AHEAD


def greedy_tokens(
    runner: Runner, begin: Beginning, *, limit: int, ends: Collection[int], read_last: bool, ahead: int
) -> Iterator[int]:
    """Yield the tokens of an answer until its turn ends.

    Args:
        runner: Runs the steps.
        begin: What to go on from.
        limit: Most tokens.
        ends: Tokens that end a turn; not part of the answer.
        read_last: Whether the model shall also read the last token of an answer cut short.
        ahead: Steps sent before their tokens are read.
    """
    scores = begin.scores
    waiting: list[Tensor] = []
    for count in range(1, limit + 1):
        said = scores.argmax()
        waiting.append(said)
        if len(waiting) == ahead or count == limit:
            for token in torch.stack(waiting).tolist():
                if token in ends:
                    return
                yield token
            waiting.clear()
        if count < limit or read_last:
            past = count - 1
            scores = runner.step(said, begin.cache, position=begin.position + past, place=begin.place + past)
