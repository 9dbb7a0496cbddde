"""Rows of many memories, tokens of a picture, all of unit length -> the score of each memory (late interaction)."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Int64

ROWS_AT_ONCE = 16_384  # keeps the block of cosines in the cache

Rows = Float32[np.ndarray, "row dim"]
Tokens = Float32[np.ndarray, "visual dim"]
Scores = Float32[np.ndarray, " concept"]
Counts = Int64[np.ndarray, " concept"]


def unit(rows: Float32[np.ndarray, "row dim"]) -> Float32[np.ndarray, "row dim"]:
    """Scale rows to length 1; a row of zeros stays."""
    lengths = np.sqrt(np.einsum("rd,rd->r", rows, rows))
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny)[:, None], np.float32)


def best_cosines(rows: Rows, tokens: Tokens) -> Float32[np.ndarray, " row"]:
    """For each row the best cosine over the tokens."""
    best = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        np.max(tokens @ rows[start : start + ROWS_AT_ONCE].T, axis=0, out=best[start : start + ROWS_AT_ONCE])
    return best


def mean_by_concept(values: Float32[np.ndarray, " row"], counts: Counts) -> Scores:
    """Average the values of each concept's rows; rows of one concept stand together, none has no rows."""
    starts = np.cumsum(counts) - counts
    return np.add.reduceat(values, starts).astype(np.float32) / counts.astype(np.float32) if len(counts) else values


def late_interaction(rows: Rows, counts: Counts, tokens: Tokens) -> Scores:
    """Score every concept.

    Args:
        rows: Of all concepts, one concept after the other, unit length.
        counts: Rows of each concept.
        tokens: Of the picture, unit length.
    """
    return mean_by_concept(best_cosines(rows, tokens), counts)


def found_in(rows: Rows, counts: Counts, tokens: Tokens) -> Scores:
    """Score every concept the other way round: for each token the best cosine over its rows, the better half averaged.

    The other half of the tokens shows what stands beside the concept.

    Args:
        rows: Of all concepts, one concept after the other, unit length.
        counts: Rows of each concept.
        tokens: Of the picture, unit length.
    """
    half, scores = (len(tokens) + 1) // 2, np.empty(len(counts), np.float32)
    ends = np.cumsum(counts)
    for first, last in blocks(counts, ROWS_AT_ONCE):
        begin = ends[first] - counts[first]
        starts = ends[first:last] - counts[first:last] - begin
        best = np.maximum.reduceat(tokens @ rows[begin : ends[last - 1]].T, starts, axis=1)
        scores[first:last] = np.partition(best, len(tokens) - half, axis=0)[-half:].mean(axis=0)
    return scores


def best_first(scores: Scores, most: int) -> Int64[np.ndarray, " best"]:
    """Positions of the `most` best scores, best first; of equals the first stands first."""
    if most >= len(scores):
        return np.argsort(-scores, kind="stable")
    chosen = np.flatnonzero(scores >= np.partition(scores, len(scores) - most)[len(scores) - most])
    return chosen[np.argsort(-scores[chosen], kind="stable")][:most]


def blocks(counts: Counts, rows_at_once: int) -> Iterator[tuple[int, int]]:
    """Cut concepts into blocks of about so many rows: first and last-but-one concept of each."""
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        before = ends[first] - counts[first]
        last = max(first + 1, int(np.searchsorted(ends, before + rows_at_once, side="right")))
        yield first, last
        first = last
