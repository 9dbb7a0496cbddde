"""Who of a list is in each of several pictures: long lists in blocks, pictures and questions together.

The answer about a concept depends on the concepts that share its prompt, so blocks are always cut in the same way: the
list in its stable order, from the front.
"""

from collections.abc import Sequence
from dataclasses import replace

from ego.answer import mentions, not_asked, recognize_pictures
from ego.backbones.base import Backbone, Prefix
from ego.memory import ConceptMemory
from ego.prefix_cache import PrefixCache
from ego.prompt import query_prompt
from ego.results import Recognition
from ego.scene import Sight
from ego.visual_tokens import VisualTokens


def recognize_sights(cache: PrefixCache, sights: Sequence[Sight], *, threshold: float) -> list[dict[str, Recognition]]:
    """Ask about every concept of every sight.

    Args:
        cache: The model and what it has read.
        sights: What is looked at; each with images.
        threshold: Probability from which a concept counts as present.

    Returns:
        For each sight, all of its concepts in their order, those that were left out last.
    """
    found: list[dict[str, Recognition]] = [{} for _ in sights]
    for members in _with_the_same_memories(sights):
        images = [sights[member].images for member in members]
        for block in blocks(cache.backbone, sights[members[0]].memories):
            prefix = _prefix(cache, block, images)
            answers = recognize_pictures(cache.backbone, block, images, threshold=threshold, prefix=prefix)
            for member, answer in zip(members, answers, strict=True):
                found[member] |= answer
    left_out = [{name: not_asked(name, threshold) for name in sight.dropped} for sight in sights]
    return [answer | rest for answer, rest in zip(found, left_out, strict=True)]


def in_view_of(cache: PrefixCache, sight: Sight, question: str, *, threshold: float) -> Sight:
    """Choose the concepts that a question is asked with.

    A list beyond the model's limit is cut: those that the question names come first, then those likeliest to be in the
    picture; without a picture the first. A model that answers better so sees only those that the question names.
    """
    if cache.backbone.card.answers_of_named:
        sight = _of_named(sight, question)
    most = cache.backbone.card.concepts_per_prompt
    if most is None or len(sight.memories) <= most:
        return sight
    names = [memory.name for memory in sight.memories]
    single = [
        replace(sight, images=(image,)) for image in sight.images
    ]  # frames of a video one by one: nothing is missed
    seen = recognize_sights(cache, single, threshold=threshold)
    chances = [max((found[name].probability for found in seen), default=0.0) for name in names]
    ranked = sorted(range(len(names)), key=lambda index: (not mentions(question, names[index]), -chances[index]))
    memories = tuple(sight.memories[index] for index in sorted(ranked[:most]))
    dropped = (*(names[index] for index in ranked[most:]), *sight.dropped)
    return replace(sight, memories=memories, dropped=dropped)


def _of_named(sight: Sight, question: str) -> Sight:
    """Keep the concepts that a question names, if it names any."""
    named = tuple(memory for memory in sight.memories if mentions(question, memory.name))
    others = tuple(memory.name for memory in sight.memories if memory not in named)
    return replace(sight, memories=named, dropped=(*others, *sight.dropped)) if named else sight


def blocks(backbone: Backbone, memories: Sequence[ConceptMemory]) -> list[tuple[ConceptMemory, ...]]:
    """Cut a list into blocks within the model's limit; a concept added at the end changes the last block only."""
    most = backbone.card.concepts_per_prompt or max(1, len(memories))
    return [tuple(memories[start : start + most]) for start in range(0, len(memories), most)]


def _prefix(cache: PrefixCache, block: Sequence[ConceptMemory], pictures: Sequence[Sequence[VisualTokens]]) -> Prefix:
    """Prefill a block, and the picture, too, if there is only one: it may be asked about again."""
    memories = query_prompt(block, (), question="")
    known = cache.prefill(memories, len(memories.parts) - 1)
    if len(pictures) > 1:
        return known
    prompt = query_prompt(block, pictures[0], question="")
    return cache.prefill(prompt, len(prompt.parts) - 1)


def _with_the_same_memories(sights: Sequence[Sight]) -> list[list[int]]:
    """Group sights whose prompts begin with the same memories."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for member, sight in enumerate(sights):
        alike.setdefault(tuple(id(memory) for memory in sight.memories), []).append(member)
    return list(alike.values())
