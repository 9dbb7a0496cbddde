"""What comes back: Recognition, Pointing and Answer, plain values; light to import, so that a client needs no torch."""

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
class Pointing:
    """Where one concept was looked for in one picture.

    Attributes:
        name: The concept.
        box: Around the warm tokens that hang together with the hottest, fractions left top right bottom.
        peak: Middle of the hottest token, fractions x y.
        boxes: Box of every token that covers the picture once.
        heat: Heat of each of them, the hottest is 1.
    """

    name: str
    box: tuple[float, float, float, float]
    peak: tuple[float, float]
    boxes: tuple[tuple[float, float, float, float], ...]
    heat: tuple[float, ...]


@dataclass(frozen=True)
class Place:
    """One place at which a concept was seen.

    Attributes:
        pointing: Where in the photo, or in the frame of a clip.
        seconds: When that frame is shown; None for a photo.
    """

    pointing: Pointing
    seconds: float | None


@dataclass(frozen=True)
class Answer:
    """What the model said with the memories in its context.

    Attributes:
        text: The answer.
        names: Concepts that were in the prompt, in order.
        dropped: Concepts left out of the prompt: by the similarity filter, by the model's limit, because a caption
            tells only of those recognized, or because the question does not name them.
        mentioned: Concepts of the prompt whose names the answer says.
        prompt_tokens: Length of the prompt; of all prompts, if it was told in several sentences.
        seconds: Wall-clock time, image encoding excluded.
    """

    text: str
    names: tuple[str, ...]
    dropped: tuple[str, ...]
    mentioned: tuple[str, ...]
    prompt_tokens: int
    seconds: float
