"""Ego and its rivals on the same prompt: visual memories of any selection, keywords, both, or nothing.

All of them differ only in EgoConfig and in what of a memory enters the prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ego.answer import similarities
from ego.backbones.base import Backbone
from ego.concept import Concept
from ego.config import EgoConfig
from ego.errors import SelectionError
from ego.evaluation.manifest import Subject
from ego.evaluation.methods.base import Method, Profile
from ego.evaluation.methods.respondent import Reply
from ego.media import LoadedImage
from ego.memory import ConceptMemory
from ego.personalizer import Ego
from ego.prompt import (
    CAPTION,
    CAPTION_WITH_NAMES,
    GUARD,
    THE_PICTURE,
    Part,
    Text,
    introduced,
    query_prompt,
    recognition_question,
)
from ego.scene import room_for_memories
from ego.similarity_filter import shortlist


@dataclass(frozen=True, eq=False, kw_only=True)
class MemoryProfile(Profile):
    """A memory, as parts of a prompt; `memory` is what the similarity filter compares, if rows are in the parts."""

    parts: tuple[Part, ...]
    memory: ConceptMemory | None = None


class MemoryMethod(Method[MemoryProfile]):
    """Paper, sections 3.1 and 3.3, with switches.

    Args:
        backbone: The model.
        config: Selection, size, reduction, layers.
        rows: Put the kept visual tokens into the prompt.
        words: Put the model's own description into the prompt.
    """

    def __init__(self, backbone: Backbone, config: EgoConfig, *, rows: bool = True, words: bool = False) -> None:
        super().__init__(backbone)
        self.rows, self.words = rows, words
        self._personal = Ego(backbone, config=config)

    def introduce(self, subject: Subject, references: Sequence[LoadedImage]) -> MemoryProfile:
        """Build the memory; a method without rows and words needs none, and a speechless model makes none."""
        if not (self.rows or self.words):
            return _nothing(subject, "nothing is remembered")
        try:
            memory = self._personal.build(Concept(subject.name, [reference.picture for reference in references]))
        except SelectionError as error:
            return _nothing(subject, f"failed: {error}", failed=True)
        parts = self._memory_parts(memory)
        return MemoryProfile(
            key=subject.key,
            name=subject.name,
            tokens=self.respondent.count(parts),
            story=_story(memory),
            parts=parts,
            memory=memory if self.rows else None,
        )

    def recognize(self, pictures: Sequence[LoadedImage], asked: MemoryProfile, known: Sequence[MemoryProfile]) -> Reply:
        """Ask about one subject; one that the similarity filter left out is not there."""
        kept = self._fitting(pictures, known)
        if asked not in kept:
            return Reply("No", context_tokens=0, probability=0.0)
        parts, shared = self._parts(pictures, recognition_question(asked.name), kept)
        images = [self.respondent.encode(picture) for picture in pictures]
        similar = None if asked.memory is None else similarities(self.backbone, [(asked.memory, images)])
        return self.respondent.yes_or_no(parts, shared=shared, similar=similar)

    def ask(
        self, pictures: Sequence[LoadedImage], question: str, known: Sequence[MemoryProfile], *, max_new_tokens: int
    ) -> Reply:
        """Ask anything."""
        parts, shared = self._parts(pictures, question, self._fitting(pictures, known))
        return self.respondent.say(parts, max_new_tokens=max_new_tokens, shared=shared)

    def caption(self, pictures: Sequence[LoadedImage], known: Sequence[MemoryProfile], *, max_new_tokens: int) -> Reply:
        """Ask for a sentence with names."""
        question = CAPTION_WITH_NAMES if any(profile.parts for profile in known) else CAPTION
        return self.ask(pictures, question, known, max_new_tokens=max_new_tokens)

    def _memory_parts(self, memory: ConceptMemory) -> tuple[Part, ...]:
        told = " ".join(view.description for view in memory.views) if self.words else ""
        if self.rows:
            return introduced(memory.name, memory.tokens, told)
        return (Text(f"This is {memory.name}: {told}\n" if told else f"This is {memory.name}.\n"),)

    def _fitting(self, pictures: Sequence[LoadedImage], known: Sequence[MemoryProfile]) -> list[MemoryProfile]:
        """Leave out the memories least like the pictures where all together exceed the context budget."""
        memories = [profile.memory for profile in known if profile.memory is not None]
        costs = {id(profile.memory): profile.tokens for profile in known}
        images = [self.respondent.encode(picture) for picture in pictures]
        room = room_for_memories(self.backbone, self._personal.config, images)
        kept = shortlist(memories, images, room, lambda memory: costs[id(memory)]).kept
        return [profile for profile in known if profile.memory is None or profile.memory in kept]

    def _parts(
        self, pictures: Sequence[LoadedImage], question: str, known: Sequence[MemoryProfile]
    ) -> tuple[list[Part], int]:
        """Put a prompt together as `query_prompt` does; count the parts that every picture shares."""
        context = [part for profile in known for part in profile.parts]
        context = [Text(GUARD), *context] if context else []
        images = [self.respondent.encode(picture) for picture in pictures]
        rest = list(query_prompt((), images, question).parts)
        if context and len(images) == 1:
            rest = [Text(THE_PICTURE), *rest]
        return [*context, *rest], len(context)


def _nothing(subject: Subject, story: str, *, failed: bool = False) -> MemoryProfile:
    return MemoryProfile(key=subject.key, name=subject.name, tokens=0, story=story, failed=failed, parts=())


def _story(memory: ConceptMemory) -> str:
    return " | ".join(f"{view.description} ({view.size_rule})" for view in memory.views)
