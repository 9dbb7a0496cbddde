"""Where an answer looked: attention from a question's name to the picture's tokens -> heat-map and box.

The question that recognition asks is read once more, over what the model already knows of the picture, and the rows of
the name's tokens are kept: the same layers, the same average as for the keywords of a description (paper Eq. 3), now
the other way round.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ego.attention import token_importance
from ego.backbones.base import Backbone, Prefix, Record
from ego.errors import InputError
from ego.prompt import Picture, Prompt
from ego.results import Pointing
from ego.visual_tokens import VisualTokens

WARM = 0.2
"""Share of the highest heat from which a token belongs to the box: that of class activation maps (Zhou et al. 2016)."""
TOUCHING = 1e-4  # of the picture's side: boxes of neighbouring tokens meet up to rounding


def point(
    backbone: Backbone, prompt: Prompt, name: str, *, layers: tuple[int, ...], prefix: Prefix | None = None
) -> tuple[Pointing, ...]:
    """Read where the name in a question looks: one answer for each picture of the prompt, in order.

    Args:
        backbone: The model.
        prompt: Memories, pictures, and a question that holds the name.
        name: The concept.
        layers: Decoder layers to read.
        prefix: Everything before the question, prefilled.

    Raises:
        InputError: If the geometry of the model is unknown.
    """
    pictures = [(index, part.tokens) for index, part in enumerate(prompt.parts) if isinstance(part, Picture)]
    return tuple(
        _pointing(name, tokens, backbone.attend(prompt, name, record=Record(layers, index), prefix=prefix))
        for index, tokens in pictures
    )


def _pointing(name: str, tokens: VisualTokens, rows: Float[Tensor, "layer head token visual"]) -> Pointing:
    if tokens.boxes is None:
        raise InputError("this model has no known token geometry; it cannot be said where a concept was seen")
    covering = tokens.covering.cpu()
    boxes, heat = tokens.boxes.cpu()[covering], token_importance(rows)[covering]
    heat = heat / heat.max().clamp_min(1e-12)
    left, top, right, bottom = boxes[int(heat.argmax())].tolist()
    return Pointing(
        name=name,
        box=box_around(boxes, heat),
        peak=((left + right) / 2, (top + bottom) / 2),
        boxes=tuple((a, b, c, d) for a, b, c, d in boxes.tolist()),
        heat=tuple(heat.tolist()),
    )


def box_around(
    boxes: Float[Tensor, "visual 4"], heat: Float[Tensor, " visual"], *, warm: float = WARM
) -> tuple[float, float, float, float]:
    """Draw one box around the tokens that are warm and hang together with the hottest one.

    Args:
        boxes: Fractions left top right bottom.
        heat: Not negative.
        warm: Share of the highest heat that counts.
    """
    island = _island(boxes, heat >= warm * heat.max(), int(heat.argmax()))
    inside = boxes[island]
    left, top = inside[:, :2].amin(0).tolist()
    right, bottom = inside[:, 2:].amax(0).tolist()
    return left, top, right, bottom


def _island(boxes: Float[Tensor, "visual 4"], warm: Bool[Tensor, " visual"], start: int) -> Bool[Tensor, " visual"]:
    """Grow from one token to every warm one that touches it, directly or by others."""
    touches = _touching(boxes) & warm
    island = torch.zeros(len(boxes), dtype=torch.bool)
    island[start] = True
    while True:
        grown = island | touches[island].any(0)
        if bool((grown == island).all()):
            return island
        island = grown


def _touching(boxes: Float[Tensor, "visual 4"]) -> Bool[Tensor, "visual visual"]:
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    overlap = torch.minimum(high, boxes[None, :, 2:]) - torch.maximum(low, boxes[None, :, :2])
    return (overlap >= -TOUCHING).all(-1)


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes (left top right bottom)."""
    wide = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    tall = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return wide * tall / max(areas - wide * tall, 1e-12)
