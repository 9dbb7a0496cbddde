"""Codes of rows: near rows share a centroid, and the table says for each centroid how like the picture it is."""

import numpy as np

from ego.library.filter.centroids import train
from ego.library.filter.late_interaction import unit


def clusters(generator: np.random.Generator, count: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    centres = unit(generator.standard_normal((count, 16), np.float32))
    rows = np.repeat(centres, each, axis=0) + 0.05 * generator.standard_normal((count * each, 16), np.float32)
    return unit(rows), np.repeat(np.arange(count), each)


def test_rows_are_near_their_centroids() -> None:
    rows, _ = clusters(np.random.default_rng(0), count=30, each=40)
    trained = train(rows, 60)
    assert 30 <= len(trained.vectors) <= 70
    own = np.einsum("rd,rd->r", rows, trained.vectors[trained.code(rows)])
    best = (rows @ trained.vectors.T).max(axis=1)
    assert own.mean() > 0.97
    assert (own >= best - 1e-5).mean() > 0.95  # the nearest of all, though only few were compared


def test_the_table_holds_the_best_cosine_over_the_picture() -> None:
    rows, _ = clusters(np.random.default_rng(1), count=8, each=10)
    trained, tokens = train(rows, 8), rows[:3]
    np.testing.assert_allclose(trained.table(tokens), (trained.vectors @ tokens.T).max(axis=1), atol=1e-6)


def test_one_row_is_enough() -> None:
    trained = train(np.array([[0.6, 0.8]], np.float32), 100)
    assert trained.code(np.array([[1, 0], [0, 1]], np.float32)).tolist() == [0, 0]


def test_training_is_repeatable() -> None:
    rows, _ = clusters(np.random.default_rng(2), count=5, each=30)
    np.testing.assert_array_equal(train(rows, 10).vectors, train(rows, 10).vectors)
