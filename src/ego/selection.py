"""Importances -> kept positions (paper 3.1, step 6), and the simple rivals for the ablation.

Every selector chooses among candidates (`VisualTokens.covering`) and returns ascending positions. Within one view that
is spatial order; across tiles, `VisualTokens.in_raster_order` makes it so.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ego.errors import SelectionError


def top_tokens(
    importance: Float[Tensor, " visual"], count: int, candidates: Bool[Tensor, " visual"]
) -> Int[Tensor, " kept"]:
    """Keep the `count` most important candidates; ties go to the earlier token."""
    places = _places(candidates)
    order = importance.cpu()[places].argsort(descending=True, stable=True)
    return places[order[:count]].sort().values


def uniform_tokens(count: int, candidates: Bool[Tensor, " visual"]) -> Int[Tensor, " kept"]:
    """Keep `count` candidates at even distances."""
    places = _places(candidates)
    count = min(count, len(places))
    return places[((torch.arange(count) + 0.5) * len(places) / count).long()]


def random_tokens(count: int, candidates: Bool[Tensor, " visual"], *, seed: int) -> Int[Tensor, " kept"]:
    """Keep `count` candidates at random."""
    places = _places(candidates)
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))
    return places[order[:count]].sort().values


def all_tokens(candidates: Bool[Tensor, " visual"]) -> Int[Tensor, " kept"]:
    """Keep the whole image, tokens without a place included: exactly what the model sees of it."""
    return torch.arange(len(candidates))


def _places(candidates: Bool[Tensor, " visual"]) -> Int[Tensor, " place"]:
    places = candidates.cpu().nonzero()[:, 0]
    if len(places) == 0:
        raise SelectionError("the image has no visual token with a place; nothing can be selected")
    return places
