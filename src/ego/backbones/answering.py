"""A prompt in tokens -> its answer: said greedily, or read as if it had been said; behind the thought, if any."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ego.backbones.assembly import Tokens
from ego.backbones.decoding import Transcript
from ego.backbones.greedy import Beginning, end_tokens, greedy_tokens, steps_ahead
from ego.backbones.prefix import PrefixState
from ego.backbones.runner import Runner
from ego.backbones.thinking import BRACKETED, LONGEST_THOUGHT, Thought
from ego.errors import BackboneError

CLOSING_TOKENS = 16
"""A closing mark is looked for in so many last tokens."""


class Answering:
    """Says and reads the answers of one model.

    Attributes:
        thought: How the model thinks before every answer; None where answers begin at once.
    """

    def __init__(self, runner: Runner, model: Any, tokenizer: Any) -> None:
        """Prepare."""
        self._runner, self._model, self._tokenizer = runner, model, tokenizer
        self.thought: Thought | None = None

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end a turn."""
        return end_tokens(self._model, self._tokenizer)

    def begin(self, tokens: Tokens, past: PrefixState | None, *, room: int) -> Beginning:
        """Read a prompt up to where its answer begins; a thought before it is thought to its end.

        Args:
            tokens: The prompt.
            past: What of it was read before.
            room: Tokens to leave for the answer.

        Raises:
            BackboneError: If the thought does not end.
        """
        rest = tokens.between(0 if past is None else len(past.tokens))
        logits, state = self._runner.run(rest, past)
        begin = Beginning(logits[-1], state.cache, len(tokens), tokens.next_place)
        return begin if self.thought is None else self._behind(self.thought, begin, room)

    def say(self, begin: Beginning, limit: int, transcript: Transcript, *, all_rows: bool) -> None:
        """Decode greedily until the model ends its turn.

        The row of a token belongs to the pass that reads it. A token followed by the end of the turn has been read; the
        last one of an answer cut short is read once more if its row is wanted.
        """
        ahead = steps_ahead(self._runner.like.device)
        for token in greedy_tokens(self._runner, begin, limit=limit, ends=self.ends, read_last=all_rows, ahead=ahead):
            transcript.add(token)

    def read(
        self, tokens: Tokens, past: PrefixState | None, forced: Sequence[int], transcript: Transcript
    ) -> Float[Tensor, " vocab"]:
        """Run given words as the answer, in one pass and without a thought; returns the logits of the first token."""
        if not forced:
            raise BackboneError("forced_text is empty; give the words to read")
        rest = tokens.then(forced).between(0 if past is None else len(past.tokens))
        logits, _ = self._runner.run(rest, past, keep=len(forced) + 1)
        for token in forced:
            transcript.add(token)
        return logits[0]

    def _behind(self, thought: Thought, begin: Beginning, room: int) -> Beginning:
        """Think on until the thought is closed and the next token is a word, or the end of the turn.

        What a model puts between its thought and its words (blanks, `<answer>`) is read over.
        """
        said: list[int] = []
        scores, over = begin.scores, False
        if not (thought.left_open or self._shown([int(scores.argmax())]) == thought.opening):
            return begin  # an answer without a thought
        longest = min(LONGEST_THOUGHT, self._runner.can.context_length - begin.position - room)
        while len(said) < longest:
            token = int(scores.argmax())
            if token in self.ends and not over:
                raise BackboneError(
                    f"the model ended its turn within a thought (...{self._shown(said[-CLOSING_TOKENS:])!r}); "
                    "ask in other words, or choose a model that answers without thinking"
                )
            if over and (token in self.ends or not self._is_between(token)):
                return Beginning(
                    scores, begin.cache, begin.position + len(said), begin.place + len(said), thought=len(said)
                )
            scores = self._runner.step(
                torch.tensor(token, device=self._runner.like.device),
                begin.cache,
                position=begin.position + len(said),
                place=begin.place + len(said),
            )
            said.append(token)
            over = over or thought.closing in self._shown(said[-CLOSING_TOKENS:])
        raise BackboneError(
            f"the model thought for {longest} tokens and came to no end; ask something simpler, or choose a model that "
            "answers without thinking (an Instruct version)"
        )

    def _is_between(self, token: int) -> bool:
        text = self._shown([token]).strip()
        return not text or bool(BRACKETED.match(text))

    def _shown(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))
