"""An opened index and a picture -> the concepts that are most like it: sums of table entries first, then the score."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, Int8, Int64

from ego.library.filter.centroids import Centroids
from ego.library.filter.files import Block, DamagedIndexError, Opened, checksums
from ego.library.filter.late_interaction import (
    Counts,
    Rows,
    Scores,
    Tokens,
    best_first,
    found_in,
    late_interaction,
    unit,
)
from ego.library.filter.space import Space

CONCEPTS_AT_ONCE = 32_768  # keeps the looked-up entries in the cache
REORDERED = 256  # concepts, the best by score, that are compared with the picture both ways
_GONE = np.float32(-np.inf)
_SHORTEST = np.float32(1e-9)  # of the largest entry of a row that is not all zeros

Places: TypeAlias = tuple[Int64[np.ndarray, " found"], Float32[np.ndarray, " found"]]
"""Where concepts stand in an index, best first, and their scores."""


def packed(space: Space, centroids: Centroids, keys: np.ndarray, counts: np.ndarray, rows: np.ndarray) -> Block:
    """Code concepts for an index.

    Args:
        space: Of the index.
        centroids: Of the index.
        keys: One per concept.
        counts: Rows of each.
        rows: As the projector gives them.
    """
    placed = space(rows)
    return Block(keys, counts, centroids.code(placed), quantised(placed))


def quantised(rows: Float32[np.ndarray, "row axis"]) -> Int8[np.ndarray, "row axis"]:
    """Keep the direction of each row in one byte per axis; its length is 1 and not kept."""
    largest = np.maximum(np.abs(rows).max(axis=1, keepdims=True), _SHORTEST)
    return np.asarray(np.rint(rows * (127 / largest)), np.int8)


def search(opened: Opened, tokens: Tokens, most: int, reranked: int) -> Places:
    """Find the most similar concepts.

    Args:
        opened: The index.
        tokens: Of the picture, in the space of the index.
        most: How many to return.
        reranked: How many of the best by code are scored themselves.

    Returns:
        Their places in the index and their scores, best first.

    Raises:
        DamagedIndexError: If rows are not as they were written.
    """
    rough = rough_scores(opened, opened.centroids.table(tokens))
    places = best_first(rough, max(most, reranked))
    places = np.sort(places[rough[places] > _GONE])
    scores = scores_of(opened, places, tokens)
    best = best_first(scores, most)
    return places[best], scores[best]


def rough_scores(opened: Opened, table: Float32[np.ndarray, " centroid"]) -> Scores:
    """Score all concepts as if each row were its centroid; those that are gone come last."""
    starts = opened.starts
    scores = np.empty(len(starts), np.float32)
    for first in range(0, len(starts), CONCEPTS_AT_ONCE):
        last = min(first + CONCEPTS_AT_ONCE, len(starts))
        begin, end = starts[first], starts[last] if last < len(starts) else len(opened.codes)
        entries = np.take(table, opened.codes[begin:end])
        np.add.reduceat(entries, starts[first:last] - begin, out=scores[first:last])
    scores /= opened.counts
    scores[~opened.present] = _GONE
    return scores


def scores_of(opened: Opened, places: Int64[np.ndarray, " some"], tokens: Tokens) -> Scores:
    """Score some concepts by their vectors.

    Raises:
        DamagedIndexError: If their rows are not as they were written.
    """
    return late_interaction(*_rows_of(opened, places), tokens)


def reordered(opened: Opened, found: Places, tokens: Tokens) -> Places:
    """Order the best by both ways: how well their rows are found in the picture, and its tokens in their rows.

    Args:
        opened: The index.
        found: Best first, by their rows alone.
        tokens: Of the picture, in the space of the index.

    Returns:
        The best `REORDERED` with both scores added up, best first; then the others as they were.

    Raises:
        DamagedIndexError: If rows are not as they were written.
    """
    places, scores = found
    rows, counts = _rows_of(opened, places[:REORDERED])
    both = late_interaction(rows, counts, tokens) + found_in(rows, counts, tokens)
    best = best_first(both, REORDERED)
    return np.append(places[best], places[REORDERED:]), np.append(both[best], scores[REORDERED:])


def _rows_of(opened: Opened, places: Int64[np.ndarray, " some"]) -> tuple[Rows, Counts]:
    chosen = opened.concepts[places]
    counts = chosen["rows"].astype(np.int64)
    ends = np.cumsum(counts)
    where = np.repeat(chosen["start"] - (ends - counts), counts) + np.arange(counts.sum())
    rows = opened.rows[where]
    if checksums(rows, ends - counts, counts) != chosen["sum"].tolist():
        raise DamagedIndexError("rows are altered")
    return unit(rows.astype(np.float32)), counts
