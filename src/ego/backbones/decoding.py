"""Generated tokens -> text, while it appears: character spans, and streaming that never shows half a character."""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ego.backbones.attention_probe import Recorder
from ego.backbones.base import Generation

BROKEN = "\ufffd"
"""What a tokenizer shows for a character whose bytes are not all there yet."""


class Transcript:
    """The text of a growing answer."""

    def __init__(self, tokenizer: Any, on_text: Callable[[str], None] | None = None) -> None:
        self._tokenizer, self._on_text = tokenizer, on_text
        self._ids: list[int] = []
        self._ends: list[int] = []
        self._sent = 0

    def add(self, token: int) -> None:
        """Append a token and hand over the new text, complete characters only; blanks wait for what follows."""
        self._ids.append(token)
        shown = self._decoded().rstrip(BROKEN)
        self._ends.append(max(len(shown), self._ends[-1] if self._ends else 0))
        if self._on_text is not None:
            self._send(shown.strip())

    def finish(self) -> tuple[str, tuple[tuple[int, int], ...]]:
        """Close the answer: its text, outer blanks off, and the span of every token in it."""
        full = self._decoded()
        text = full.strip()
        if self._on_text is not None:
            self._send(text)
        if self._ends and full.endswith(BROKEN):
            self._ends[-1] = len(full)
        blanks = len(full) - len(full.lstrip())
        edges = [min(max(edge - blanks, 0), len(text)) for edge in (0, *self._ends)]
        return text, tuple(pairwise(edges))

    def generation(
        self, first: Tensor, prompt_tokens: int, began: float, recorder: Recorder | None = None
    ) -> Generation:
        """Close the answer and tell everything about it.

        Args:
            first: Scores of its first token.
            prompt_tokens: Length of the prompt.
            began: When it was asked for, by `time.perf_counter`.
            recorder: Holds attention rows, if they were recorded.
        """
        text, spans = self.finish()
        return Generation(
            text=text,
            token_ids=torch.tensor(self.ids, dtype=torch.long),
            spans=spans,
            first_logits=first.float().cpu(),
            attention=recorder.attention()[:, :, : len(self.ids)] if recorder and self.ids else None,
            prompt_tokens=prompt_tokens,
            seconds=time.perf_counter() - began,
        )

    @property
    def ids(self) -> Sequence[int]:
        """Tokens so far."""
        return tuple(self._ids)

    def _send(self, visible: str) -> None:
        if self._on_text is not None and len(visible) > self._sent:
            piece, self._sent = visible[self._sent :], len(visible)
            self._on_text(piece)

    def _decoded(self) -> str:
        return str(self._tokenizer.decode(self._ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
