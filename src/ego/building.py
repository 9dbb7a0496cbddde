"""Concepts -> their memories, not stored yet: photos read, views introduced together, put into one memory each."""

from collections.abc import Sequence
from datetime import UTC, datetime

from ego.backbones.base import Backbone
from ego.concept import Concept
from ego.config import EgoConfig
from ego.introduction import Reference, View, introduce_views
from ego.media import thumbnail
from ego.memory import ConceptMemory
from ego.references import read_references
from ego.visual_tokens import concatenate


def build_memories(
    backbone: Backbone,
    concepts: Sequence[Concept],
    config: EgoConfig,
    layers: tuple[int, ...],
    *,
    known: Sequence[str] = (),
) -> tuple[ConceptMemory, ...]:
    """Build a memory of each concept; photos that are alike go through the model together.

    Args:
        backbone: The model.
        concepts: What the user handed over.
        config: Numbers of the method.
        layers: Decoder layers whose attention chooses the tokens.
        known: Digests of pictures that are passed over.

    Raises:
        EgoError: As `Ego.introduce`, at the first concept that cannot be introduced.
    """
    read = [read_references(concept, config.introduction_frames, known) for concept in concepts]
    views = iter(introduce_views(backbone, [one for references in read for one in references], config, layers))
    return tuple(
        _memory(backbone, concept, references, [next(views) for _ in references], config)
        for concept, references in zip(concepts, read, strict=True)
    )


def _memory(
    backbone: Backbone, concept: Concept, references: Sequence[Reference], views: Sequence[View], config: EgoConfig
) -> ConceptMemory:
    return ConceptMemory(
        name=concept.name,
        category=concept.category,
        notes=concept.notes,
        tokens=concatenate([view.tokens for view in views]),
        views=tuple(view.record for view in views),
        fingerprint=backbone.fingerprint,
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
        thumbnail=thumbnail(references[0].image) if config.thumbnails else None,
    )
