"""Words -> token ids, each stretch in its place, so that any tokenizer gives the ids of the whole text.

Many tokenizers write a blank before a text (SentencePiece), or join what stands side by side (byte pairs). So a stretch
is tokenized together with what stands before it. Where a token would reach over the end of a part of the prompt, it is
cut there, so that the beginning of a prompt never depends on its end. Words of users never become control tokens: a
control token spelt in a name or a question is cut in two.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ego.backbones.thinking import BRACKETED
from ego.errors import BackboneError

BEGINNING = ("",)
ANYWHERE = ("\n", ".", "a", "1", "")
"""What may stand before a stretch in the middle of words: the first behind which it begins with a token of its own."""
REMEMBERED = 8192
"""Stretches whose ids are kept: prompts of one library repeat almost all of theirs."""


@dataclass(frozen=True)
class Words:
    """Adjacent words.

    Attributes:
        text: The words.
        trusted: Whether control tokens in them are meant.
    """

    text: str
    trusted: bool = True


@dataclass(frozen=True)
class Cut:
    """A place where tokens must not, or should not, reach across.

    Attributes:
        at: Characters before it.
        forced: Whether the text must be tokenized apart here in any case.
        ends_part: Whether a part of the prompt ends here.
    """

    at: int
    forced: bool = False
    ends_part: bool = False


class Tokenization:
    """The tokenizer of one model."""

    def __init__(self, tokenizer: Any, *, placeholder: str, control: Sequence[str]) -> None:
        """Prepare.

        Args:
            tokenizer: A Hugging Face tokenizer.
            placeholder: The token that visual tokens replace.
            control: Texts of the model's own in which control tokens stand, such as the marks around tiles.
        """
        self.tokenizer = tokenizer
        self.control = control_pattern(tokenizer, "".join([placeholder, *control]))
        self._after_visual = (placeholder,)
        self._encode = lru_cache(REMEMBERED)(self._encoded)

    def stretch(
        self, words: Sequence[Words], ends: Sequence[int], *, after_visual: bool, before_visual: bool
    ) -> tuple[list[int], list[int]]:
        """Tokenize what stands between two runs of visual tokens.

        Args:
            words: The words.
            ends: Where parts of the prompt end, characters, ascending.
            after_visual: Whether visual tokens stand before them; else the prompt begins.
            before_visual: Whether visual tokens follow; else the prompt ends.

        Returns:
            Token ids, and the number of tokens before each of `ends`.
        """
        text = "".join(piece.text for piece in words)
        cuts = [Cut(at, forced=True) for at in self._hostile(words, text)] + [Cut(at, ends_part=True) for at in ends]
        left = self._after_visual if after_visual else BEGINNING
        right = self._after_visual[0] if before_visual else ""
        return self._cut_up(text, sorted(cuts, key=lambda cut: cut.at), left, right)

    def continued(self, before: str, text: str) -> list[int]:
        """Tokenize words of a user that continue a text, such as the beginning of an answer."""
        cuts = [Cut(at, forced=True) for at in self._hostile([Words(text, trusted=False)], text)]
        return self._cut_up(text, cuts, (before, *ANYWHERE), "")[0]

    def spells_control(self, words: Sequence[Words]) -> bool:
        """Say whether users spelt a control token, wholly or in part."""
        return bool(self._hostile(words, "".join(piece.text for piece in words)))

    def _hostile(self, words: Sequence[Words], text: str) -> list[int]:
        """Find control tokens that users spelt, wholly or in part; each is cut behind its first character."""
        trusted = [piece.trusted for piece in words for _ in piece.text]
        found = [match.span(1) for match in self.control.finditer(text)]
        return [start + 1 for start, stop in found if not all(trusted[start:stop])]

    def _cut_up(self, text: str, cuts: Sequence[Cut], left: Sequence[str], right: str) -> tuple[list[int], list[int]]:
        whole = self._between(left, text, right)
        ends: list[int] = []
        for number, cut in enumerate(cuts):
            head = self._between(left, text[: cut.at], "")
            if cut.forced or whole[: len(head)] != head:
                rest = [Cut(later.at - cut.at, later.forced, later.ends_part) for later in cuts[number + 1 :]]
                ids, more = self._cut_up(text[cut.at :], rest, ANYWHERE, right)
                own = [len(head)] if cut.ends_part else []
                return [*head, *ids], [*ends, *own, *(len(head) + end for end in more)]
            if cut.ends_part:
                ends.append(len(head))
        return list(whole), ends

    def _between(self, left: Sequence[str], text: str, right: str) -> tuple[int, ...]:
        """Tokenize text behind the first of `left` that stays by itself, and before `right`."""
        if not text:
            return ()
        for before in left:
            lead = self._encode(before) if before else ()
            ids = self._encode(before + text + right)
            tail = len(self._encode(right)) if right and ids[-1:] == self._encode(right)[-1:] else 0
            if ids[: len(lead)] == lead:
                return ids[len(lead) : len(ids) - min(tail, 1)]
        return self._encode(text)

    def _encoded(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def token_of(tokenizer: Any, number: int, what: str) -> str:
    """Spell a token that the configuration names.

    Raises:
        BackboneError: If the tokenizer has none of that number.
    """
    token = tokenizer.convert_ids_to_tokens(number)
    if token is None:
        raise BackboneError(
            f"config.json names token {number} for {what}, but the tokenizer has {len(tokenizer)} tokens; they do not "
            "belong together"
        )
    return str(token)


def control_pattern(tokenizer: Any, spelt: str) -> re.Pattern[str]:
    """Match every control token, overlapping ones too, the longest first.

    Control tokens are the special ones, every added token in brackets (`<tool_call>`, `<box>`), and those that stand in
    the given text.
    """
    added = {token.content: token.special for token in tokenizer.added_tokens_decoder.values() if token.content.strip()}
    control = {text for text, special in added.items() if special or BRACKETED.match(text.strip()) or text in spelt}
    alternatives = "|".join(re.escape(word) for word in sorted(control, key=len, reverse=True))
    return re.compile(f"(?=({alternatives or '(?!)'}))")
