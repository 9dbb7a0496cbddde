"""Other ways to find concepts: the same score in torch, and one vector for each concept."""

import numpy as np
import torch
from jaxtyping import Float32

from ego.library.filter.late_interaction import Rows, Scores, Tokens, unit

_AT_ONCE = 65_536  # rows


def scored_in_torch(rows: Rows, each: int, tokens: Tokens) -> Scores:
    """Late interaction of every concept, in torch.

    Args:
        rows: Of all concepts, `each` of every one.
        each: Rows of a concept.
        tokens: Of the picture.
    """
    picture = torch.from_numpy(tokens).T
    best = [(block @ picture).amax(dim=1) for block in torch.split(torch.from_numpy(rows), _AT_ONCE)]
    return np.asarray(torch.cat(best).view(-1, each).mean(dim=1).numpy(), np.float32)


def pooled(rows: Rows, each: int, tokens: Tokens) -> Scores:
    """Cosine of the mean row of every concept and the mean token of the picture."""
    means: Float32[np.ndarray, "concept dim"] = unit(rows.reshape(-1, each, rows.shape[1]).mean(axis=1))
    return np.asarray(means @ unit(tokens.mean(axis=0, keepdims=True))[0], np.float32)
