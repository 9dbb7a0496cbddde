"""Rows of unit length -> codes: the number of the nearest of some thousand centroids.

Centroids stand in cells: first some hundred cells, then as many centroids in each, so that training and coding touch
only a few cells per row instead of all centroids.
"""

from dataclasses import dataclass
from math import isqrt

import numpy as np
from jaxtyping import Float32, Int64, UInt16

from ego.library.filter.late_interaction import Rows, Tokens, best_cosines, unit

MOST_CENTROIDS = 2**16  # a code has 16 bits
_ROWS_PER_CENTROID = 24  # in the sample they are trained on
_ROUNDS = 6  # of Lloyd's algorithm
_CELLS_TRIED = 3  # per row, when its centroid is looked for


@dataclass(frozen=True, eq=False)
class Centroids:
    """A two-level codebook.

    Attributes:
        cells: One direction per cell.
        vectors: All centroids, those of one cell together.
        starts: Where each cell's centroids begin; one more entry closes the last.
    """

    cells: Float32[np.ndarray, "cell dim"]
    vectors: Float32[np.ndarray, "centroid dim"]
    starts: Int64[np.ndarray, " bound"]

    def code(self, rows: Rows) -> UInt16[np.ndarray, " row"]:
        """Find the nearest centroid of each row, among those of the nearest cells."""
        tried = min(_CELLS_TRIED, len(self.cells))
        near = np.argpartition(-(rows @ self.cells.T), tried - 1, axis=1)[:, :tried]
        codes, best = np.zeros(len(rows), np.uint16), np.full(len(rows), -np.inf, np.float32)
        for column in near.T:
            order = np.argsort(column, kind="stable")
            for cell, members in _groups(column, order):
                self._improve(rows, members, cell, codes, best)
        return codes

    def table(self, tokens: Tokens) -> Float32[np.ndarray, " centroid"]:
        """For each centroid the best cosine over the tokens."""
        return best_cosines(self.vectors, tokens)

    def _improve(
        self, rows: Rows, members: Int64[np.ndarray, " member"], cell: int, codes: np.ndarray, best: np.ndarray
    ) -> None:
        first, last = int(self.starts[cell]), int(self.starts[cell + 1])
        cosines = rows[members] @ self.vectors[first:last].T
        nearest = cosines.argmax(axis=1)
        value = cosines[np.arange(len(members)), nearest]
        better = value > best[members]
        codes[members[better]] = first + nearest[better]
        best[members[better]] = value[better]


def train(sample: Rows, count: int, seed: int = 0) -> Centroids:
    """Find about `count` centroids for rows like those of the sample.

    Args:
        sample: Rows of unit length; some two dozen per centroid are used.
        count: Wanted; less when the sample is small.
        seed: Of the choice of starting points.
    """
    generator = np.random.default_rng(seed)
    count = max(1, min(count, MOST_CENTROIDS, len(sample) // 2))
    sample = sample[generator.permutation(len(sample))[: count * _ROWS_PER_CENTROID]]
    cells, of_cell = _lloyd(sample, max(1, isqrt(count)), generator)
    shares = np.maximum(1, np.bincount(of_cell, minlength=len(cells)) * count // len(sample))
    order = np.argsort(of_cell, kind="stable")
    parts = {
        cell: _lloyd(sample[members], int(shares[cell]), generator)[0] for cell, members in _groups(of_cell, order)
    }
    vectors = [parts.get(cell, cells[cell : cell + 1]) for cell in range(len(cells))]
    starts = np.cumsum([0, *map(len, vectors)])
    return Centroids(cells, np.concatenate(vectors), starts.astype(np.int64))


def _lloyd(
    rows: Rows, count: int, generator: np.random.Generator
) -> tuple[Float32[np.ndarray, "centre dim"], Int64[np.ndarray, " row"]]:
    """Spherical k-means; a centre that lost all its rows moves to a row that is far from its own."""
    centres = rows[generator.permutation(len(rows))[:count]].copy()
    for _ in range(_ROUNDS):
        nearest, value = _nearest(rows, centres)
        sums = np.zeros_like(centres)
        order = np.argsort(nearest, kind="stable")
        present = nearest[order]
        firsts = np.flatnonzero(np.r_[True, present[1:] != present[:-1]])
        sums[present[firsts]] = np.add.reduceat(rows[order], firsts, axis=0)
        lost = np.setdiff1d(np.arange(len(centres)), present[firsts])
        sums[lost] = rows[np.argsort(value, kind="stable")[: len(lost)]]
        centres = unit(sums)
    return centres, _nearest(rows, centres)[0]


def _nearest(
    rows: Rows, centres: Float32[np.ndarray, "centre dim"]
) -> tuple[Int64[np.ndarray, " row"], Float32[np.ndarray, " row"]]:
    nearest, value = np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    for start in range(0, len(rows), 8192):
        cosines = rows[start : start + 8192] @ centres.T
        nearest[start : start + 8192] = cosines.argmax(axis=1)
        value[start : start + 8192] = cosines.max(axis=1)
    return nearest, value


def _groups(labels: np.ndarray, order: np.ndarray) -> "list[tuple[int, np.ndarray]]":
    """Members of each label that occurs."""
    firsts = np.flatnonzero(np.diff(labels[order])) + 1
    return [(int(labels[part[0]]), part) for part in np.split(order, firsts) if len(part)]
