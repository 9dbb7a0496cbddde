"""Keyword-to-visual attention -> one importance per visual token (paper Eq. 3)."""

from jaxtyping import Float
from torch import Tensor

from ego.config import Reduction
from ego.errors import SelectionError


def token_importance(
    weights: Float[Tensor, "layer head keyword visual"], *, reduction: Reduction = "mean", normalize: bool = False
) -> Float[Tensor, " visual"]:
    """Score each visual token by the attention it receives from the keywords.

    Args:
        weights: Attention after softmax over all keys; selected layers and keyword rows only.
        reduction: How layers, heads and keywords are combined. The paper's formula averages, its prose says maximum.
        normalize: Scale each row to sum to 1 over the visual tokens first, so that layers and heads weigh the same.

    Raises:
        SelectionError: If no keyword survived the description.
    """
    if weights.shape[2] == 0:
        raise SelectionError(
            "the description holds no word to look for in the image; give keywords or a region for this concept"
        )
    rows = weights / weights.sum(-1, keepdim=True).clamp_min(1e-12) if normalize else weights
    return rows.mean(dim=(0, 1, 2)) if reduction == "mean" else rows.amax(dim=(0, 1, 2))
