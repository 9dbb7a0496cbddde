"""Memories and images of one query, read by the model once, so that any number of questions can follow.

The memories' part is prefilled once per list of concepts and kept for the next query; the images come on top of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

from ego.answer import Answer, answer
from ego.backbones.base import Backbone, Prefix
from ego.config import EgoConfig
from ego.footage import QueryImage, query_frames
from ego.memory import ConceptMemory
from ego.prompt import GUARD, Prompt, Text, Turn, memory_parts, query_prompt
from ego.similarity_filter import shortlist
from ego.visual_tokens import VisualTokens

QUESTION_TOKENS = 256  # room for a question and the words around images


@dataclass(frozen=True, eq=False)
class Scene:
    """What the model has before its eyes.

    Attributes:
        backbone: The model.
        memories: Concepts in the prompt, in stable order.
        dropped: Names of concepts that the similarity filter left out.
        images: The image, the frames of a video, or nothing.
        seconds: When each image is shown in its video; None for pictures by themselves.
        prefix: Everything before the question, prefilled; None when there is nothing before it.
    """

    backbone: Backbone
    memories: tuple[ConceptMemory, ...]
    dropped: tuple[str, ...]
    images: tuple[VisualTokens, ...]
    seconds: tuple[float | None, ...]
    prefix: Prefix | None

    def prompt(self, question: str) -> Prompt:
        """Ask something about this scene."""
        return query_prompt(self.memories, self.images, question)

    def answer(self, prompt: Prompt, max_new_tokens: int, on_text: Callable[[str], None] | None = None) -> Answer:
        """Let the model answer a prompt that begins with this scene."""
        return answer(
            self.backbone,
            prompt,
            names=tuple(memory.name for memory in self.memories),
            dropped=self.dropped,
            max_new_tokens=max_new_tokens,
            prefix=self.prefix,
            on_text=on_text,
        )


class SceneReader:
    """Reads scenes; keeps the prefill of the last list of memories."""

    def __init__(self, backbone: Backbone, config: EgoConfig) -> None:
        self._backbone, self._config = backbone, config
        self._memory_prefix: tuple[tuple[ConceptMemory, ...], Prefix] | None = None
        self._costs: WeakKeyDictionary[ConceptMemory, int] = WeakKeyDictionary()

    def read(self, memories: Sequence[ConceptMemory], image: QueryImage | None) -> Scene:
        """Encode the image or frames, choose the memories that fit, and prefill both."""
        frames = () if image is None else query_frames(image, self._config.video_frames)
        images = tuple(self._backbone.encode_image(frame.picture) for frame in frames)
        room = room_for_memories(self._backbone, self._config, images)
        chosen = shortlist(memories, images, room, self._cost)
        seconds = tuple(frame.seconds for frame in frames)
        return Scene(self._backbone, chosen.kept, chosen.dropped, images, seconds, self._prefill(chosen.kept, images))

    def _cost(self, memory: ConceptMemory) -> int:
        """Tokens that a memory takes, its name and delimiters included."""
        if memory not in self._costs:
            alone = Prompt((Turn("user", memory_parts([memory])),))
            self._costs[memory] = self._backbone.count_tokens(alone) - self._frame
        return self._costs[memory]

    @cached_property
    def _frame(self) -> int:
        return self._backbone.count_tokens(Prompt((Turn("user", (Text(GUARD),)),)))

    def _prefill(self, memories: tuple[ConceptMemory, ...], images: tuple[VisualTokens, ...]) -> Prefix | None:
        prefix = self._prefill_memories(memories) if memories else None
        if not images:
            return prefix
        prompt = query_prompt(memories, images, question="")
        return self._backbone.prefill(prompt, parts=len(prompt.parts) - 1, prefix=prefix)

    def _prefill_memories(self, memories: tuple[ConceptMemory, ...]) -> Prefix:
        if self._memory_prefix is None or not _same(self._memory_prefix[0], memories):
            prompt = query_prompt(memories, (), question="")
            self._memory_prefix = memories, self._backbone.prefill(prompt, parts=len(prompt.parts) - 1)
        return self._memory_prefix[1]


def room_for_memories(backbone: Backbone, config: EgoConfig, images: Sequence[VisualTokens]) -> int:
    """Count the tokens left for memories: the configured budget, or what the model's context leaves."""
    asked = sum(len(image) for image in images) + QUESTION_TOKENS + config.answer_tokens
    return min(config.context_budget, backbone.card.context_length - asked)


def _same(one: Sequence[ConceptMemory], other: Sequence[ConceptMemory]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
