"""Description -> keywords: which generated tokens name the subject (paper 3.1: all words, punctuation removed)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"\w+(?:['’-]\w+)*")

# Function words of an English one-sentence description; only used when the switch is on.
_STOP_WORD_LIST = (
    "a an the this that these those it its his her their is are was were be been has have with and or of in on at by "
    "for from to as there here which who while also very some any no not image picture photo subject main shows"
)
STOP_WORDS = frozenset(_STOP_WORD_LIST.split(" "))


@dataclass(frozen=True)
class Keywords:
    """The keyword tokens W of a description.

    Attributes:
        positions: Indices among the generated tokens, ascending.
        words: The text of each of these tokens.
    """

    positions: tuple[int, ...]
    words: tuple[str, ...]

    def __len__(self) -> int:
        """Count the keyword tokens."""
        return len(self.positions)


def find_keywords(text: str, spans: Sequence[tuple[int, int]], *, drop_stop_words: bool = False) -> Keywords:
    """Pick the tokens that belong to words; punctuation, blanks and control tokens drop out.

    Args:
        text: The description.
        spans: Character span of each generated token in `text`.
        drop_stop_words: Leave function words out as well.
    """
    words = [match for match in _WORD.finditer(text) if not (drop_stop_words and match[0].lower() in STOP_WORDS)]
    covered = [any(_overlap(span, match.span()) for match in words) for span in spans]
    positions = tuple(index for index, inside in enumerate(covered) if inside)
    return Keywords(positions, tuple(text[slice(*spans[index])].strip() for index in positions))


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])
