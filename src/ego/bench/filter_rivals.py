"""Other ways to find concepts: the same score in full, lists behind centroids, one vector a concept, a ready engine."""

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float16, Int64

from ego.library.filter.centroids import Centroids
from ego.library.filter.late_interaction import Scores, Tokens, best_cosines, best_first, late_interaction, unit

Placed: TypeAlias = Float16[np.ndarray, "concept row axis"]
Best: TypeAlias = Int64[np.ndarray, " best"]
Finder: TypeAlias = Callable[[Tokens, int], Best]
"""Tokens of a picture in the space of the rows, and how many to find -> numbers of concepts, best first."""

_AT_ONCE = 4_096  # concepts
_INDEXED_FROM = 1_000  # concepts; an index cannot be trained on few
_PROBED = 1 / 16  # of the centroids whose lists are read


def exact(placed: Placed) -> Finder:
    """Late interaction of every concept, in numpy."""

    def scored(block: Placed, tokens: Tokens) -> Scores:
        rows = block.reshape(-1, block.shape[2]).astype(np.float32)
        return late_interaction(rows, np.full(len(block), block.shape[1]), tokens)

    return lambda tokens, most: best_first(np.concatenate([scored(one, tokens) for one in _blocks(placed)]), most)


def exact_in_torch(placed: Placed) -> Finder:
    """Late interaction of every concept, in torch."""

    def scored(block: Placed, tokens: Tokens) -> Scores:
        rows = torch.from_numpy(block.reshape(-1, block.shape[2]).astype(np.float32))
        best = (rows @ torch.from_numpy(tokens).T).amax(dim=1)
        return np.asarray(best.view(len(block), -1).mean(dim=1).numpy(), np.float32)

    return lambda tokens, most: best_first(np.concatenate([scored(one, tokens) for one in _blocks(placed)]), most)


def pooled(placed: Placed) -> Finder:
    """Cosine of the mean row of every concept and the mean token of the picture."""
    means = unit(np.concatenate([block.astype(np.float32).mean(axis=1) for block in _blocks(placed)]))
    return lambda tokens, most: best_first(means @ unit(tokens.mean(axis=0, keepdims=True))[0], most)


def inverted_lists(placed: Placed, codes: np.ndarray, centroids: Centroids, reranked: int) -> Finder:
    """Read the lists behind the centroids nearest to the picture, then score the best concepts themselves.

    Args:
        placed: Rows of all concepts.
        codes: Centroid of each row.
        centroids: Of the filter index, too.
        reranked: How many concepts are scored themselves.
    """
    order = np.argsort(codes, kind="stable")
    owners = (order // placed.shape[1]).astype(np.int64)
    ends = np.searchsorted(codes[order], np.arange(len(centroids.vectors) + 1))

    def found(tokens: Tokens, most: int) -> Best:
        table = best_cosines(centroids.vectors, tokens)
        probed = best_first(table, max(1, round(_PROBED * len(table))))
        floor = table[probed[-1]]  # rows of the other lists reach less
        members = [owners[ends[one] : ends[one + 1]] for one in probed]
        weights = np.repeat(table[probed] - floor, [len(one) for one in members])
        rough = np.bincount(np.concatenate(members), weights, minlength=len(placed)).astype(np.float32)
        return rescored(placed, best_first(rough, reranked), tokens, most)

    return found


def rescored(placed: Placed, candidates: Int64[np.ndarray, " candidate"], tokens: Tokens, most: int) -> Best:
    """Bring candidates into the order of the score itself."""
    candidates = np.sort(candidates)
    return candidates[exact(placed[candidates])(tokens, most)]


def lance_is_there() -> bool:
    """Whether the ready engine is installed."""
    return find_spec("lancedb") is not None


def lance(placed: Placed, folder: Path, reranked: int) -> Finder:
    """LanceDB's multi-vectors with its default index; its best are then scored themselves.

    Its own score runs the other way round: for each token of the picture the best row of a memory, summed.

    Args:
        placed: Rows of all concepts.
        folder: Where its files go.
        reranked: How many of its answers are scored.
    """
    arrow: Any = import_module("pyarrow")
    width = placed.shape[2]
    schema = arrow.schema([
        arrow.field("id", arrow.int64()),
        arrow.field("vector", arrow.list_(arrow.list_(arrow.float32(), width))),
    ])  # fmt: skip

    def batches() -> Iterator[Any]:
        first = 0
        for block in _blocks(placed):
            flat = arrow.FixedSizeListArray.from_arrays(arrow.array(block.astype(np.float32).ravel()), width)
            offsets = arrow.array(np.arange(0, len(flat) + 1, placed.shape[1]), arrow.int32())
            keys = arrow.array(np.arange(first, first + len(block)))
            yield arrow.RecordBatch.from_arrays([keys, arrow.ListArray.from_arrays(offsets, flat)], schema=schema)
            first += len(block)

    table = import_module("lancedb").connect(str(folder)).create_table("concepts", batches(), schema=schema)
    if len(placed) >= _INDEXED_FROM:
        table.create_index(metric="cosine", vector_column_name="vector")

    def found(tokens: Tokens, most: int) -> Best:
        answer = table.search(tokens).limit(reranked).select(["id"]).to_arrow()
        return rescored(placed, answer["id"].to_numpy(), tokens, most)

    return found


def _blocks(placed: Placed) -> Iterator[Placed]:
    for first in range(0, len(placed), _AT_ONCE):
        yield placed[first : first + _AT_ONCE]
