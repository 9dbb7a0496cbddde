"""A lesson: one context (memories, perhaps a picture) and many questions about it, each on its own branch.

A branch sees its context and itself, never the other branches, and continues the positions of its context: every
question is exactly what the model will meet alone, at a fraction of the price.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from colours import COLOURS
from nouns import NOUNS
from transformers import PreTrainedTokenizerFast
from vocabulary import IMAGE, IMAGE_END, IMAGE_START, NOTHING, TURN_END, TURN_START
from wording import Exchange

# What shall be known at a name, or at the end of a picture, before anything is answered.
PRESENCE, COLOUR, SIDE, AREA, NOUN = range(5)
# The hops from a reference to an answer (`gaze.py`).
OPENING_TO_NAME, ROW_TO_OPENING, PICTURE_TO_MEMORY, QUESTION_TO_PICTURE, ANSWER_TO_QUESTION, CAPTION_TO_PICTURE = range(
    6
)
SIDES = ("left", "middle", "right")
AREAS = (*range(1, 10), *range(10, 101, 5))
NOBODY = (0,)  # where a token looks that has nobody to look at: the first of all
LONGEST_NAME = 8  # tokens of a name by which it is recognised
NAMING_WEIGHT = 2.0  # of the token of an answer that decides who is named, and of that which ends the name


class Words:
    """Text -> token ids, remembered."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Keep the tokenizer and the control tokens."""
        self.encode = lru_cache(50_000)(lambda text: tuple(tokenizer.encode(text)))
        ids = tokenizer.convert_tokens_to_ids
        self.image, self.start, self.end, self.turn_end, self.nothing, self.padding = (
            ids(t) for t in (IMAGE, IMAGE_START, IMAGE_END, TURN_END, NOTHING, "<pad>")
        )
        colours, sides, nouns = ([self.encode(f" {word}")[0] for word in words] for words in (COLOURS, SIDES, NOUNS))
        answers, areas = [self.encode(word)[0] for word in ("Yes", "No")], list(map(ids, map(str, AREAS)))
        self.facts = (answers, colours, sides, areas, nouns)
        self.opening = self.encode(f"{TURN_START}user\n")
        self.handover = self.encode(f"{TURN_END}\n{TURN_START}assistant\n")

    def name(self, name: str) -> tuple[int, ...]:
        """Give the tokens by which a name is recognised."""
        return self.encode(f" {name}")[:LONGEST_NAME]


@dataclass
class Lesson:
    """A sequence under construction: ids, positions, branches, visual rows, and what is to be predicted where."""

    words: Words
    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)  # branch of the picture, -1 in the shared context
    questions: list[int] = field(default_factory=list)  # branch of the question, -1 outside
    rows: list[tuple[int, int, int]] = field(default_factory=list)  # place, picture of the bank, token
    targets: list[tuple[int, int, float]] = field(default_factory=list)  # place, next id, weight
    names: list[tuple[int, ...]] = field(default_factory=list)  # the names that were introduced, by their tokens
    owners: list[tuple[int, int]] = field(default_factory=list)  # place, which name (behind nobody's, which is 0)
    owned: dict[tuple[int, ...], list[int]] = field(default_factory=dict)  # a name -> its tokens in the picture
    known: dict[tuple[int, ...], list[tuple[int, int]]] = field(default_factory=dict)  # a name -> facts: kind, which
    facts: list[tuple[int, int, int]] = field(default_factory=list)  # place, kind, which
    answered: list[tuple[int, int, Exchange]] = field(default_factory=list)  # first and last of its targets
    gazes: list[tuple[int, int, Sequence[int]]] = field(default_factory=list)  # hop, who looks, at what
    concepts: int = 0
    _at: int = 0
    _picture: int = -1
    _question: int = -1
    _branches: int = 0

    def write(self, ids: Sequence[int]) -> None:
        """Append tokens to the current branch."""
        self.ids += ids
        self.positions += range(self._at, self._at + len(ids))
        self.pictures += [self._picture] * len(ids)
        self.questions += [self._question] * len(ids)
        self._at += len(ids)

    def show(self, views: Sequence[tuple[int, Sequence[int]]], whole: int | None = None) -> list[int]:
        """Append visual tokens (picture of the bank, its tokens) between image delimiters; say where they are.

        `whole`: Tokens of the whole picture, if these are some of it that stand where they would among all of them.
        """
        opening = len(self.ids)
        self.write((self.words.start,))
        for picture, tokens in views:
            self.rows += [(len(self.ids) + offset, picture, int(token)) for offset, token in enumerate(tokens)]
            begin = self._at
            self.write([self.words.image] * len(tokens))
            if whole is not None:
                self.positions[-len(tokens) :] = [begin + int(token) for token in tokens]
                self._at = begin + whole
        self.write((self.words.end,))
        places = list(range(opening + 1, len(self.ids) - 1))
        self.gazes += [(ROW_TO_OPENING, place, (opening,)) for place in places]
        return places

    def introduce(self, name: str, views: Sequence[tuple[int, Sequence[int]]], told: str = "") -> list[int]:
        """Remember a concept as the library does, by rows, by words or by both; say where its rows are."""
        tokens = self.words.encode(f" {name}")
        self.write(self.words.encode("This is"))
        spoken = range(len(self.ids), len(self.ids) + len(tokens))
        self.write(self.words.encode(f" {name}:"))
        self.names.append(self.words.name(name))
        self.gazes.append((OPENING_TO_NAME, len(self.ids), tuple(spoken)))
        rows = self.show(views) if views else []
        self.write(self.words.encode(f" {told}\n" if told else "\n"))
        return rows

    @contextmanager
    def branch(self, kind: str) -> Iterator[None]:
        """Write a picture or a question that the next one will not see."""
        kept = self._at, self._picture, self._question
        self._branches += 1
        if kind == "picture":
            self._picture = self._branches
        else:
            self._question = self._branches
        yield
        self._at, self._picture, self._question = kept

    def ask(self, exchange: Exchange) -> None:
        """Write a question and its answer on a new branch; only the answer is to be learnt."""
        with self.branch("question"):
            first = len(self.ids)
            question = self.words.encode(exchange.question)
            self.write((*question, *self.words.handover))
            asked = list(self._find(question, first))
            self._look(asked)
            answer = (*self.words.encode(exchange.answer), self.words.turn_end)
            begin = len(self.ids)
            weights = [exchange.weight] * len(answer)
            for places, name in self._find(answer, begin):
                self.gazes.append((CAPTION_TO_PICTURE, places[0] - 1, self.owned.get(name) or NOBODY))
                weights[places[0] - begin] *= NAMING_WEIGHT
                weights[places[-1] + 1 - begin] *= NAMING_WEIGHT
            self.answered.append((len(self.targets), len(self.targets) + len(answer), exchange))
            told = enumerate(zip(answer, weights, strict=True), begin - 1)
            self.targets += [(place, token, weight) for place, (token, weight) in told]
            self.write(answer)

    def _look(self, asked: Sequence[tuple[range, tuple[int, ...]]]) -> None:
        """Lead the last words of a question's names to the picture, the answer to them, and ask there what is known."""
        for places, name in asked:
            self.facts += [(places[-1], *fact) for fact in self.known.get(name, ())]
            if self._picture >= 0:
                self.gazes.append((QUESTION_TO_PICTURE, places[-1], self.owned.get(name) or NOBODY))
        if asked:
            self.gazes.append((ANSWER_TO_QUESTION, len(self.ids) - 1, [places[-1] for places, _ in asked]))

    def _find(self, ids: Sequence[int], first: int) -> Iterator[tuple[range, tuple[int, ...]]]:
        """Find the introduced names in a text that begins at a place, of several that fit the longest."""
        for offset in range(len(ids)):
            fitting = [name for name in self.names if tuple(ids[offset : offset + len(name)]) == name]
            if fitting:
                name = max(fitting, key=len)
                yield range(first + offset, first + offset + len(name)), name

    def cost(self, exchange: Exchange) -> int:
        """Count the tokens a question would add."""
        texts = (exchange.question, exchange.answer)
        return sum(len(self.words.encode(text)) for text in texts) + len(self.words.handover) + 1
