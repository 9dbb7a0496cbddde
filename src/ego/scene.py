"""Memories and images of one query, read by the model once, so that any number of questions can follow.

The memories' part is prefilled once per list of concepts, the images on top of it once per picture (`prefix_cache.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

from ego.answer import answer
from ego.backbones.base import Backbone, Prefix
from ego.config import EgoConfig
from ego.crowd import Crowd
from ego.media import Frame
from ego.memory import ConceptMemory
from ego.prefix_cache import PrefixCache
from ego.prompt import GUARD, Prompt, Text, Turn, memory_parts, query_prompt
from ego.results import Answer
from ego.similarity_filter import fill, shortlist
from ego.visual_tokens import VisualTokens

QUESTION_TOKENS = 256  # room for a question and the words around images


@dataclass(frozen=True, eq=False)
class Scene:
    """What the model has before its eyes.

    Attributes:
        backbone: The model.
        memories: Concepts in the prompt, in stable order.
        dropped: Names of concepts that the similarity filter left out.
        images: The image, the video, its frames where the model does not read videos, or nothing.
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


@dataclass(frozen=True, eq=False)
class Sight:
    """What is to be looked at, and who may be in it.

    Attributes:
        images: The image, the video, its frames where the model does not read videos, or nothing.
        seconds: When each image is shown in its video; None for pictures by themselves.
        memories: Concepts that fit into the budget, in stable order.
        dropped: Names of the others, least similar last; of a library that was searched, those that nearly fitted.
    """

    images: tuple[VisualTokens, ...]
    seconds: tuple[float | None, ...]
    memories: tuple[ConceptMemory, ...]
    dropped: tuple[str, ...]


class SceneReader:
    """Reads images and memories."""

    def __init__(self, cache: PrefixCache, config: EgoConfig) -> None:
        self._cache, self._backbone, self._config = cache, cache.backbone, config
        self._costs: WeakKeyDictionary[ConceptMemory, int] = WeakKeyDictionary()

    def look(self, memories: Sequence[ConceptMemory] | Crowd, frames: Sequence[Frame], *, again: bool = True) -> Sight:
        """Encode the image or frames and choose the memories that fit.

        Args:
            memories: In stable order; or a library that is to be searched for them.
            frames: What to look at, shown at once; may be empty.
            again: Keep the encoded images, since more may be asked about them.
        """
        images = self._encoded(frames, self._cache if again else self._backbone)
        room = room_for_memories(self._backbone, self._config, images)
        if isinstance(memories, Crowd):
            chosen = fill(memories.candidates(images), room, self._cost)
        else:
            chosen = shortlist(memories, images, room, self._cost)
        return Sight(images, tuple(frame.seconds for frame in frames), chosen.kept, chosen.dropped)

    def scene(self, sight: Sight) -> Scene:
        """Let the model read memories and images."""
        prompt = query_prompt(sight.memories, sight.images, question="")
        parts = len(prompt.parts) - 1
        if sight.memories and sight.images:
            self._cache.prefill(prompt, len(memory_parts(sight.memories)))  # other images will follow
        prefix = self._cache.prefill(prompt, parts) if parts else None
        return Scene(self._backbone, sight.memories, sight.dropped, sight.images, sight.seconds, prefix)

    def _encoded(self, frames: Sequence[Frame], encoder: PrefixCache | Backbone) -> tuple[VisualTokens, ...]:
        """Encode images one by one; frames of a video together, where the model reads videos."""
        seconds = [frame.seconds for frame in frames if frame.seconds is not None]
        if self._backbone.card.has_video and len(frames) > 1 and len(seconds) == len(frames):
            return (encoder.encode_video([frame.picture for frame in frames], seconds),)
        encode = encoder.encode if isinstance(encoder, PrefixCache) else encoder.encode_image
        return tuple(encode(frame.picture) for frame in frames)

    def _cost(self, memory: ConceptMemory) -> int:
        """Tokens that a memory takes, its name and delimiters included."""
        if memory not in self._costs:
            alone = Prompt((Turn("user", memory_parts([memory])),))
            self._costs[memory] = self._backbone.count_tokens(alone) - self._frame
        return self._costs[memory]

    @cached_property
    def _frame(self) -> int:
        return self._backbone.count_tokens(Prompt((Turn("user", (Text(GUARD),)),)))


def room_for_memories(backbone: Backbone, config: EgoConfig, images: Sequence[VisualTokens]) -> int:
    """Count the tokens left for memories: the configured budget, or what the model's context leaves."""
    asked = sum(len(image) for image in images) + QUESTION_TOKENS + config.answer_tokens
    return min(config.context_budget, backbone.card.context_length - asked)
