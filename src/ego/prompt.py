"""Memories, names, images and a question -> an ordered prompt of Text, SoftTokens and Picture parts (paper 3.3).

The order is fixed: guard line, memories as they were introduced (name first), then the images, then the question.
Everything before the first image depends on the list of concepts only, so its prefill can be reused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ego.memory import ConceptMemory
from ego.visual_tokens import VisualTokens

GUARD = "Remembered concepts. They are not part of the picture.\n"
THE_PICTURE = "The picture:\n"
THE_VIDEO = "The video:\n"
DESCRIBE = (
    "Describe the main subject of this image in one short sentence: what it is, its colours and its lasting visible "
    "features. Do not mention the background."
)
AREA = "What percentage of the image does the main subject cover? Answer with a single number."
CAPTION = "Write one short sentence that describes this image."
CAPTION_WITH_NAMES = f"{CAPTION} Call the remembered concepts that are in it by name."


@dataclass(frozen=True)
class Text:
    """Words, never read as control tokens of the model."""

    text: str


@dataclass(frozen=True, eq=False)
class SoftTokens:
    """The rows of a memory, between the model's own image delimiters."""

    tokens: VisualTokens


@dataclass(frozen=True, eq=False)
class Picture:
    """An encoded image or video, between the model's own delimiters."""

    tokens: VisualTokens


Part: TypeAlias = Text | SoftTokens | Picture


@dataclass(frozen=True)
class Turn:
    """What one speaker says."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Prompt:
    """A conversation that waits for the assistant's answer."""

    turns: tuple[Turn, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts in order; `Backbone.prefill` counts these."""
        return tuple(part for turn in self.turns for part in turn.parts)

    def then(self, answer: str, question: str) -> "Prompt":
        """Continue the conversation by the given answer and the next question."""
        said, asked = Turn("assistant", (Text(answer),)), Turn("user", (Text(question),))
        return Prompt((*self.turns, said, asked))


def introduction_prompt(image: VisualTokens, question: str) -> Prompt:
    """Ask about a reference image; the image comes first so that both questions share its prefill."""
    return Prompt((Turn("user", (Picture(image), Text(question))),))


def memory_parts(memories: Sequence[ConceptMemory]) -> tuple[Part, ...]:
    """Introduce the remembered concepts, in the order given; nothing when there is none."""
    if not memories:
        return ()
    return (Text(GUARD), *(part for memory in memories for part in introduced(memory.name, memory.tokens)))


def introduced(name: str, tokens: VisualTokens, words: str = "") -> tuple[Part, ...]:
    """Introduce one concept by its rows, and by words if there are any.

    The name stands before the rows: every token looks back only, so a row can know whose it is only where it was said.
    """
    return Text(f"This is {name}:"), SoftTokens(tokens), Text(f" {words}\n" if words else "\n")


def query_prompt(memories: Sequence[ConceptMemory], images: Sequence[VisualTokens], question: str) -> Prompt:
    """Put memories, images (frames of a video in order) and question together."""
    context = memory_parts(memories)
    parts = (*context, *_image_parts(images, announced=bool(context)), Text(question))
    return Prompt((Turn("user", parts),))


def recognition_question(name: str) -> str:
    """Ask whether one concept is there."""
    return f"Is {name} in this image? Answer with a single word, Yes or No."


def caption_question(memories: Sequence[ConceptMemory]) -> str:
    """Ask for one sentence, with names when there are any."""
    return CAPTION_WITH_NAMES if memories else CAPTION


def _image_parts(images: Sequence[VisualTokens], *, announced: bool) -> tuple[Part, ...]:
    if len(images) == 1:
        words = THE_VIDEO if images[0].is_video else THE_PICTURE
        return (Text(words), Picture(images[0])) if announced else (Picture(images[0]),)
    frames = [(Text(f"Frame {number}:\n"), Picture(image)) for number, image in enumerate(images, start=1)]
    return tuple(part for frame in frames for part in frame)
