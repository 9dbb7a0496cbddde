"""Answers of the model -> answers that know what the user said: of a concept, and of this very picture."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ego.backbones.base import Backbone
from ego.corrections import Correction, Corrections, log_odds, logistic, shift
from ego.media import Frame
from ego.media.picture import picture_digest
from ego.memory import ConceptMemory
from ego.results import Recognition


def as_corrected(
    found: Mapping[str, Recognition],
    memories: Iterable[ConceptMemory],
    corrections: Corrections,
    backbone: Backbone,
    frames: Sequence[Frame],
) -> dict[str, Recognition]:
    """Apply what was learnt of each concept, and what was said of this picture, if it is a single one.

    Args:
        found: Answers of the model, by name.
        memories: The concepts asked about.
        corrections: What the user said.
        backbone: The model that answered.
        frames: What was looked at.
    """
    identities = {memory.name: memory.identity for memory in memories}
    picture = picture_digest(frames[0].picture) if len(frames) == 1 else ""
    model = model_key(backbone)
    return {
        name: _corrected(one, identities[name], corrections, model, picture) if name in identities else one
        for name, one in found.items()
    }


def correction_of(
    memory: ConceptMemory, answered: Recognition, frame: Frame, backbone: Backbone, *, there: bool, path: str
) -> Correction:
    """Put the user's word on one picture beside what the model answered by itself."""
    return Correction(
        concept=memory.identity,
        picture=picture_digest(frame.picture),
        there=there,
        margin=log_odds(answered.probability),
        model=model_key(backbone),
        path=path.encode(errors="replace").decode(),  # for people; albums leave names aside that are not UTF-8
    )


def model_key(backbone: Backbone) -> str:
    """Name a model by what its answers depend on."""
    return f"{backbone.fingerprint.weights[:16]}-{backbone.card.decoder[:16]}"


def _corrected(one: Recognition, concept: str, corrections: Corrections, model: str, picture: str) -> Recognition:
    told = corrections.told(concept, picture)
    if told is not None:
        return replace(one, present=told, probability=float(told), said="told", seen_at=one.seen_at if told else ())
    said = corrections.of(concept, model)
    if not said or one.said == "not asked":
        return one
    probability = logistic(log_odds(one.probability) + shift(said))
    return replace(one, present=probability >= one.threshold, probability=probability)
