"""The space in which a filter compares: unit rows of the projector, moved and turned, then scaled to length 1 again."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from ego.library.filter.late_interaction import unit


@dataclass(frozen=True, eq=False)
class Space:
    """An affine map and a normalisation.

    Attributes:
        centre: Subtracted first.
        axes: Columns to project on.
    """

    centre: Float32[np.ndarray, " dim"]
    axes: Float32[np.ndarray, "dim axis"]

    def __call__(self, rows: Float32[np.ndarray, "row dim"]) -> Float32[np.ndarray, "row axis"]:
        """Bring rows into this space."""
        return unit((unit(rows) - self.centre) @ self.axes)


def fit_space(
    sample: Float32[np.ndarray, "row dim"], *, axes: int, centred: bool = False, whitening: float = 0.0
) -> Space:
    """Keep the axes on which rows differ most.

    Args:
        sample: Rows as the projector gives them.
        axes: Most axes to keep.
        centred: Whether the mean of the sample is subtracted.
        whitening: 0 keeps lengths along the axes, 1 makes all axes equally long.
    """
    rows = unit(sample)
    centre = rows.mean(axis=0) if centred else np.zeros(sample.shape[1], np.float32)
    spread = (rows - centre).T @ (rows - centre) / len(rows)
    values, vectors = np.linalg.eigh(spread.astype(np.float64))
    strongest = np.argsort(-values)[:axes]
    scale = np.maximum(values[strongest], values.max() * 1e-6) ** (-whitening / 2)
    return Space(centre.astype(np.float32), (vectors[:, strongest] * scale).astype(np.float32))
