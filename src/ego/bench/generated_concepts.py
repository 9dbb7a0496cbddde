"""Any number of concepts with the statistics of a few real ones, for measuring what size does.

A generated concept takes a real one as its template: each of its rows stands where a row of the template stands, moved
by an offset that all rows of the concept share and by one of its own. Both are drawn from how the real rows differ
inside small clusters: between concepts, and inside them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from ego.library.filter.centroids import train
from ego.library.filter.late_interaction import unit

_ROWS_PER_CLUSTER = 64


@dataclass(frozen=True, eq=False)
class Statistics:
    """How rows of memories are spread.

    Attributes:
        means: Of small clusters of rows.
        labels: Cluster of each row of the templates, `rows` of them per template.
        shared: Square root of the covariance of what rows of one concept have in common.
        own: The same of what each row has for itself.
    """

    means: Float32[np.ndarray, "cluster dim"]
    labels: Int64[np.ndarray, "template row"]
    shared: Float32[np.ndarray, "dim dim"]
    own: Float32[np.ndarray, "dim dim"]

    def generate(
        self, concepts: int, seed: int, at_once: int = 8_192
    ) -> Iterator[Float32[np.ndarray, "concept row dim"]]:
        """Draw concepts, block by block; rows have length 1."""
        generator, dim = np.random.default_rng(seed), self.means.shape[1]
        for first in range(0, concepts, at_once):
            count = min(at_once, concepts - first)
            labels = self.labels[generator.integers(0, len(self.labels), count)]
            offsets = generator.standard_normal((count, 1, dim), np.float32) @ self.shared
            rows = generator.standard_normal((*labels.shape, dim), np.float32) @ self.own
            rows += offsets
            rows += self.means[labels]
            yield unit(rows.reshape(-1, dim)).reshape(rows.shape)


def statistics_of(
    rows: Float32[np.ndarray, "row dim"], counts: Int64[np.ndarray, " concept"], rows_each: int, seed: int = 0
) -> Statistics:
    """Measure real rows.

    Args:
        rows: Of length 1, one concept after the other.
        counts: Rows of each concept.
        rows_each: Rows that a generated concept has.
        seed: Of the choice of rows in each template.
    """
    generator = np.random.default_rng(seed)
    clusters = train(rows, max(1, len(rows) // _ROWS_PER_CLUSTER), seed)
    labels = clusters.code(rows).astype(np.int64)
    means = np.zeros_like(clusters.vectors)
    np.add.at(means, labels, rows)
    means /= np.maximum(np.bincount(labels, minlength=len(means)), 1)[:, None]
    residual = rows - means[labels]
    owner = np.repeat(np.arange(len(counts)), counts)
    shared = np.zeros((len(counts), rows.shape[1]), np.float32)
    np.add.at(shared, owner, residual)
    shared /= counts[:, None]
    own = residual - shared[owner]
    starts = np.cumsum(counts) - counts
    places = np.stack([start + np.sort(generator.integers(0, count, rows_each))
                       for start, count in zip(starts, counts, strict=True)])  # fmt: skip
    return Statistics(means.astype(np.float32), labels[places], _root(shared), _root(own))


def _root(values: Float32[np.ndarray, "row dim"]) -> Float32[np.ndarray, "dim dim"]:
    """Matrix that turns independent normal numbers into ones with the covariance of `values`."""
    spread, vectors = np.linalg.eigh((values.T @ values / len(values)).astype(np.float64))
    return np.asarray((vectors * np.sqrt(np.maximum(spread, 0.0))).T, np.float32)
