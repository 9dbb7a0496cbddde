"""Answers to several prompts at once: one pass a word for all of them, each row over a context of its own.

Contexts are padded on the left to one length, so this is for models in which every layer sees everything; windows and
recurrent states would count the padding.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.functional import pad

from ego.backbones.attention_probe import Recorder, RecorderOfRows
from ego.backbones.base import Generation
from ego.backbones.capabilities import Capabilities
from ego.backbones.decoding import Transcript
from ego.backbones.greedy import Beginning, greedy_tokens, steps_ahead
from ego.backbones.prefix import GROWING, fork
from ego.backbones.runner import Runner
from ego.backbones.scoring import BATCH_TOKENS, batches_of

Recording: TypeAlias = Callable[[Recorder | RecorderOfRows | None], AbstractContextManager[None]]


@dataclass(eq=False)
class Speaker:
    """One answer among several.

    Attributes:
        begin: What it goes on from.
        limit: Most tokens.
        transcript: What it has said.
        recorder: Keeps rows of its attention.
        failure: What its listener raised; it ends this answer and no other.
    """

    begin: Beginning
    limit: int
    transcript: Transcript
    recorder: Recorder | None = None
    failure: Exception | None = None
    _began: float = field(default_factory=time.perf_counter)

    def __len__(self) -> int:
        """Count the tokens that it may come to hold."""
        return self.begin.position + self.limit

    @property
    def prompt_tokens(self) -> int:
        """Length of what was asked."""
        return self.begin.position - self.begin.thought

    @property
    def full(self) -> bool:
        """Whether it has said as much as it may."""
        return len(self.transcript.ids) >= self.limit

    def hear(self, token: int) -> bool:
        """Take the next token, and say whether it is to be read: for another one, or for its row of attention."""
        try:
            self.transcript.add(token)
        except Exception as error:
            self.failure = error
        return self.failure is None and (self.recorder is not None or not self.full)

    def result(self) -> Generation | Exception:
        """Give the whole answer, or what ended it."""
        if self.failure is None:
            try:
                return self.transcript.generation(self.begin.scores, self.prompt_tokens, self._began, self.recorder)
            except Exception as error:
                self.failure = error
        return self.failure


def can_speak_together(can: Capabilities) -> bool:
    """Say whether padded rows are read as they would be alone."""
    return can.full_attention and (can.position_argument or can.multimodal_positions)


@torch.no_grad()
def speak_together(
    runner: Runner, speakers: Sequence[Speaker], ends: Collection[int], recording: Recording
) -> Iterator[Speaker]:
    """Let all speak and give each when its turn ends; one after the other, where the model cannot be padded.

    Args:
        runner: Runs the steps.
        speakers: Each with a context of its own.
        ends: Tokens that end a turn; not part of an answer.
        recording: Lets a recorder see the passes inside it.
    """
    most = BATCH_TOKENS if can_speak_together(runner.can) else 0
    for numbers in batches_of(list(map(len, speakers)), most):
        batch = [speakers[number] for number in numbers]
        yield from (_speak if len(batch) > 1 else _speak_alone)(runner, batch, ends, recording)


def _speak_alone(
    runner: Runner, batch: Sequence[Speaker], ends: Collection[int], recording: Recording
) -> Iterator[Speaker]:
    """Let one speak without padding, and on an accelerator without waiting for each word."""
    (speaker,) = batch
    ahead, read_last = steps_ahead(runner.like.device), speaker.recorder is not None
    with recording(speaker.recorder):
        tokens = greedy_tokens(runner, speaker.begin, limit=speaker.limit, ends=ends, read_last=read_last, ahead=ahead)
        for token in tokens:
            if not speaker.hear(token):
                break
    yield speaker


def _speak(runner: Runner, batch: Sequence[Speaker], ends: Collection[int], recording: Recording) -> Iterator[Speaker]:
    rows, steps = list(batch), 0
    cache, seen = _padded([speaker.begin for speaker in rows])
    scores = torch.stack([speaker.begin.scores for speaker in rows])
    while True:
        said = scores.argmax(-1)
        answers = zip(rows, said.tolist(), strict=True)
        stay = [
            row
            for row, (speaker, token) in enumerate(answers)
            if not speaker.full and token not in ends and speaker.hear(token)
        ]
        yield from (speaker for row, speaker in enumerate(rows) if row not in stay)
        if not stay:
            return
        if len(stay) < len(rows):
            chosen = torch.tensor(stay, device=said.device)
            cache.batch_select_indices(chosen)
            rows, said, seen = [rows[row] for row in stay], said[chosen], seen[chosen]
        seen = pad(seen, (0, 1), value=1)
        positions = [speaker.begin.position + steps for speaker in rows]
        places = [speaker.begin.place + steps for speaker in rows]
        recorders = [speaker.recorder for speaker in rows]
        with recording(RecorderOfRows(recorders) if any(recorders) else None):
            scores = runner.steps(said, cache, seen=seen, positions=positions, places=places)
        steps += 1


def _padded(begins: Sequence[Beginning]) -> tuple[Any, Int[Tensor, "row token"]]:
    """Put caches into one, shorter ones behind padding, and say which of its tokens are none."""
    width = max(begin.position for begin in begins)
    together = fork(begins[0].cache)
    for number, layer in enumerate(together.layers):
        for name in GROWING:
            held = [getattr(begin.cache.layers[number], name) for begin in begins]
            if isinstance(held[0], Tensor) and held[0].numel():
                setattr(layer, name, torch.cat([pad(one, (0, 0, width - one.shape[-2], 0)) for one in held]))
    lengths = torch.tensor([begin.position for begin in begins], device=begins[0].scores.device)
    return together, (torch.arange(width, device=lengths.device) >= width - lengths[:, None]).long()
