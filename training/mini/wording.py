"""What is said about pictures: descriptions, captions, questions and answers. The fixed prompts are the library's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from colours import COLOURS
from numpy.typing import NDArray

from ego.prompt import AREA, CAPTION, CAPTION_WITH_NAMES, DESCRIBE, recognition_question

__all__ = ["AREA", "CAPTION", "CAPTION_WITH_NAMES", "DESCRIBE", "Exchange", "Item", "Look", "recognition_question"]

SMALLEST_COLOUR_SHARE = 0.17
CLEAR_COLOUR_LEAD = 1.4
TELLING_WEIGHT = 2.0  # of answers of which a single token says anything
# Free text starts with a blank, so that a name is the same token in the prompt and at the start of an answer.


@dataclass(frozen=True)
class Exchange:
    """A question and its answer; `weight` is the share of the loss of each answer token."""

    question: str
    answer: str
    weight: float = 1.0


@dataclass(frozen=True)
class Look:
    """What can be said about a subject by looking at it."""

    noun: str
    shares: NDArray[np.float32]
    aspect: float  # height / width

    @property
    def colours(self) -> list[str]:
        """Name the colours that cover enough of the subject, most frequent first."""
        order = np.argsort(-self.shares)
        return [COLOURS[i] for i in order[:3] if self.shares[i] >= SMALLEST_COLOUR_SHARE] or [COLOURS[order[0]]]

    @property
    def clear_colour(self) -> str | None:
        """Name the colour that dominates, if one does."""
        order = np.argsort(-self.shares)
        return COLOURS[order[0]] if self.shares[order[0]] > CLEAR_COLOUR_LEAD * self.shares[order[1]] else None

    @property
    def phrase(self) -> str:
        """Name the subject: colours and noun, with its article."""
        first, *rest = self.colours
        words = f"{first} and {rest[0]} {self.noun}" if rest else f"{first} {self.noun}"
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"

    @property
    def description(self) -> str:
        """Describe the subject in one sentence: what it is, colours, shape."""
        shape = "tall" if self.aspect > 1.45 else "wide" if self.aspect < 0.7 else "round"
        third = f" with {self.colours[2]} parts" if len(self.colours) > 2 else ""
        phrase = self.phrase
        return f" {phrase[0].upper()}{phrase[1:]}{third}, {shape} in shape."


@dataclass(frozen=True)
class Item:
    """One subject of a picture, as it is to be spoken of: by name if remembered."""

    look: Look
    centre: float
    name: str | None = None

    @property
    def side(self) -> str:
        """Say in which third of the picture the subject stands."""
        return "left" if self.centre < 0.38 else "right" if self.centre > 0.62 else "middle"

    @property
    def is_clearly_placed(self) -> bool:
        """Tell whether the third is beyond doubt."""
        return min(abs(self.centre - 0.38), abs(self.centre - 0.62)) > 0.04


def place(side: str) -> str:
    """Say where, with the right preposition."""
    return f"in the {side}" if side == "middle" else f"on the {side}"


def caption(items: Sequence[Item]) -> str:
    """Write one sentence that names every item, from left to right."""
    if not items:
        return " An empty scene."
    told = [
        f"{item.name or item.look.phrase} {place(item.side)}" for item in sorted(items, key=lambda item: item.centre)
    ]
    sentence = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    first = sentence if min(items, key=lambda item: item.centre).name else sentence[0].upper() + sentence[1:]
    return f" {first}."


def and_list(names: Sequence[str]) -> str:
    """Join names as in speech."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def pick(rng: np.random.Generator, *choices: str) -> str:
    """Choose one wording; the first, the library's own, half of the time."""
    return choices[0] if rng.random() < 0.5 else str(rng.choice(choices))


def letter_choice(rng: np.random.Generator, question: str, right: str, wrong: str) -> Exchange:
    """Turn a question into a choice of two letters."""
    swap = rng.random() < 0.5
    first, second = (wrong, right) if swap else (right, wrong)
    form = pick(
        rng,
        "{q} A. {a} B. {b}. Answer with the letter.",
        "{q}\nA. {a}\nB. {b}\nAnswer with the letter.",
        "{q} A. {a}  B. {b}",
    )
    return Exchange(form.format(q=question, a=first, b=second), "B" if swap else "A")


def about_reference(rng: np.random.Generator, look: Look, area: float) -> list[Exchange]:
    """Ask about a picture with one main subject, without any memory."""
    asked = [
        Exchange(DESCRIBE, look.description, 1.0),
        Exchange(AREA, area_answer(area), TELLING_WEIGHT),
        Exchange(
            pick(rng, "What is this?", "What is in the picture?", "What do you see?"),
            f" {look.phrase.capitalize()}.",
            1.0,
        ),
    ]
    colour = look.clear_colour
    if colour:
        asked.append(
            Exchange(
                pick(rng, "What colour is it?", "What colour is this?", "What color is it?"),
                f" {colour.capitalize()}.",
                TELLING_WEIGHT,
            )
        )
        asked.append(letter_choice(rng, "What colour is it?", colour, other(rng, COLOURS, look.colours)))
    return asked


def area_answer(share: float) -> str:
    """Round an area to whole percent below ten, to fives above."""
    percent = 100 * share
    rounded = round(percent) if percent < 10 else 5 * round(percent / 5)
    return str(min(100, max(1, rounded)))


def other(rng: np.random.Generator, options: Sequence[str], taken: Sequence[str]) -> str:
    """Draw an option that is not taken."""
    return str(rng.choice([option for option in options if option not in taken]))


def about_concept(rng: np.random.Generator, name: str, look: Look, item: Item | None) -> list[Exchange]:
    """Ask about one remembered concept; `item` says where it is in the picture, or nothing if it is absent."""
    asked = [Exchange(pick(rng, f"What is {name}?", f"Who or what is {name}?"), f" {look.phrase.capitalize()}.", 0.4)]
    if look.clear_colour:
        question = pick(rng, f"What colour is {name}?", f"What color is {name}?", f"Which colour does {name} have?")
        asked.append(Exchange(question, f" {look.clear_colour.capitalize()}.", TELLING_WEIGHT))
        asked.append(letter_choice(rng, question, look.clear_colour, other(rng, COLOURS, look.colours)))
    side = pick(
        rng,
        f"Which side is {name} on?",
        f"On which side of the picture is {name}?",
        f"Is {name} on the left, in the middle or on the right?",
    )
    where = pick(rng, f"Where is {name}?", f"Where is {name} in the picture?", f"What is {name} doing?")
    if item is None:
        return [
            *asked,
            Exchange(side, " Not in the picture.", 0.5),
            Exchange(where, f" {name} is not in the picture.", 0.3),
        ]
    if item.is_clearly_placed:
        asked += [
            Exchange(side, f" {item.side.capitalize()}.", 1.0),
            Exchange(where, f" {name} is {place(item.side)}.", 0.4),
        ]
        asked.append(
            letter_choice(
                rng, f"Which side is {name} on?", item.side, other(rng, ("left", "middle", "right"), [item.side])
            )
        )
    return asked


def about_presence(rng: np.random.Generator, names: Sequence[str], present: Sequence[str]) -> list[Exchange]:
    """Ask which and how many of the remembered concepts are there."""
    shuffled = [str(name) for name in rng.permutation(list(names))]
    seen = [name for name in shuffled if name in present]
    asked = [
        Exchange(
            pick(
                rng, "How many remembered concepts are in the picture?", "How many of the remembered concepts are here?"
            ),
            str(len(seen)),
        )
    ]
    found = f" {and_list(seen)}." if seen else " None."
    asked.append(
        Exchange(pick(rng, "Which remembered concepts are in the picture?", "Who is in the picture?"), found, 0.6)
    )
    if len(shuffled) > 1:
        asked.append(Exchange(f"Which of {and_list(shuffled)} is in the picture?", found, 0.8))
    absent = [name for name in shuffled if name not in present]
    if seen and absent:
        asked.append(letter_choice(rng, "Who is in the picture?", seen[0], absent[0]))
    return asked


def yes_or_no(rng: np.random.Generator, name: str, present: bool) -> Exchange:
    """Ask whether a concept is there: the library's question, seldom another wording."""
    loose = (f"Is {name} in the picture?", f"Can you see {name}?", f"Is {name} here? Answer Yes or No.")
    question = recognition_question(name) if rng.random() < 0.85 else str(rng.choice(loose))
    return Exchange(question, "Yes" if present else "No", 2.0)
