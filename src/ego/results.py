"""What comes back: Recognition and Answer, plain values; light to import, so that a client needs no torch."""

from dataclasses import dataclass
from typing import Literal

Said = Literal["yes", "no", "other", "not asked", "told"]


@dataclass(frozen=True)
class Recognition:
    """Whether one concept is in an image.

    Attributes:
        name: The concept.
        present: probability >= threshold.
        probability: P(yes) / (P(yes) + P(no)) of the first answer token, corrected where a correction was fitted.
        threshold: What `present` was decided with.
        said: The likeliest first token, read as text; "other" is an unparsable answer, "not asked" marks a concept that
            the similarity filter left out (probability 0), "told" a picture of which the user said it (0 or 1).
        seen_at: Seconds of the frames of a video in which it was found; empty for pictures.
    """

    name: str
    present: bool
    probability: float
    threshold: float
    said: Said
    seen_at: tuple[float, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the model said with the memories in its context.

    Attributes:
        text: The answer.
        names: Concepts that were in the prompt, in order.
        dropped: Concepts that the similarity filter, or the model's limit of concepts in one prompt, left out.
        mentioned: Concepts of the prompt whose names the answer says.
        prompt_tokens: Length of the prompt.
        seconds: Wall-clock time, image encoding excluded.
    """

    text: str
    names: tuple[str, ...]
    dropped: tuple[str, ...]
    mentioned: tuple[str, ...]
    prompt_tokens: int
    seconds: float
