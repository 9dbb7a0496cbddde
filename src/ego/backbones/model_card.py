"""What was found out about a model -> its card, which is all that the method may ask about it."""

from typing import Any

from ego.backbones.assembly import FeatureForm
from ego.backbones.base import ModelCard
from ego.backbones.capabilities import Capabilities
from ego.backbones.families import Family
from ego.backbones.fingerprint import decoder_digest


def card_of(
    model: Any, model_id: str, family: Family, can: Capabilities, form: FeatureForm, *, has_video: bool
) -> ModelCard:
    """Fill in the card of a model.

    Args:
        model: The model.
        model_id: Hub name or folder.
        family: Its line of the table.
        can: What it can do.
        form: The form in which it takes features.
        has_video: Whether it reads videos as such.
    """
    return ModelCard(
        model_id=model_id,
        family=family.name,
        attention_layers=can.attention_layers,
        layer_count=can.layer_count,
        dim=can.dim,
        context_length=can.context_length,
        has_geometry=family.geometry is not None,
        has_deepstack=form.levels > 0,
        has_video=has_video,
        decoder=decoder_digest(model),
        concepts_per_prompt=can.concepts_per_prompt,
        concepts_per_caption=can.concepts_per_caption,
        answers_of_named=can.answers_of_named,
    )
