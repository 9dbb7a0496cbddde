"""How far two ways of computing the same logits may differ, by rounding alone."""

import torch
from jaxtyping import Float
from torch import Tensor

TOLERANCE = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.3}
"""Largest difference of logits that rounding may make, as a share of their standard deviation. Wrong positions moved
them by 5-20 %, lost DeepStack features by 22 % (float32, random weights)."""


def relative_difference(ours: Float[Tensor, " vocab"], theirs: Float[Tensor, " vocab"]) -> float:
    """Largest difference of two rows of logits, as a share of the standard deviation of `theirs`."""
    return float((ours - theirs).abs().max() / theirs.std().clamp(min=1e-6))


def tolerance(dtype: torch.dtype) -> float:
    """Say how much rounding may make in a number format."""
    return TOLERANCE.get(dtype, TOLERANCE[torch.bfloat16])
