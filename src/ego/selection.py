"""Importances -> kept positions in spatial order (paper 3.1, step 6), and the simple rivals for the ablation.

Every selector returns ascending positions: the projector gives tokens in raster order, so ascending is spatial.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ego.errors import SelectionError


def top_tokens(
    importance: Float[Tensor, " visual"], count: int, spatial: Bool[Tensor, " visual"]
) -> Int[Tensor, " kept"]:
    """Keep the `count` most important tokens that have a place; ties go to the earlier token."""
    places = _places(spatial)
    order = importance.cpu()[places].argsort(descending=True, stable=True)
    return places[order[:count]].sort().values


def uniform_tokens(count: int, spatial: Bool[Tensor, " visual"]) -> Int[Tensor, " kept"]:
    """Keep `count` tokens at even distances."""
    places = _places(spatial)
    count = min(count, len(places))
    return places[((torch.arange(count) + 0.5) * len(places) / count).long()]


def random_tokens(count: int, spatial: Bool[Tensor, " visual"], *, seed: int) -> Int[Tensor, " kept"]:
    """Keep `count` tokens at random."""
    places = _places(spatial)
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))
    return places[order[:count]].sort().values


def all_tokens(spatial: Bool[Tensor, " visual"]) -> Int[Tensor, " kept"]:
    """Keep the whole image, tokens without a place included: exactly what the model sees of it."""
    return torch.arange(len(spatial))


def _places(spatial: Bool[Tensor, " visual"]) -> Int[Tensor, " place"]:
    places = spatial.cpu().nonzero()[:, 0]
    if len(places) == 0:
        raise SelectionError("the image has no visual token with a place; nothing can be selected")
    return places
