"""The score of many concepts at once is that of `ego.similarity_filter`, one by one."""

import numpy as np
import torch

from ego.library.filter.late_interaction import ROWS_AT_ONCE, best_first, found_in, late_interaction, unit
from ego.library.filter.space import fit_space
from ego.similarity_filter import partial_similarity, similarity


def test_the_score_is_that_of_the_similarity_filter() -> None:
    generator = np.random.default_rng(0)
    counts = np.array([1, 4, 2])
    rows, tokens = generator.standard_normal((7, 5), np.float32), generator.standard_normal((9, 5), np.float32)
    scores = late_interaction(unit(rows), counts, unit(tokens))
    one_by_one = [
        similarity(memory, torch.from_numpy(tokens)) for memory in torch.from_numpy(rows).split(counts.tolist())
    ]
    np.testing.assert_allclose(scores, one_by_one, rtol=1e-5)


def test_the_other_way_round_the_better_half_of_the_tokens_counts() -> None:
    generator = np.random.default_rng(1)
    counts = np.array([1, ROWS_AT_ONCE - 2, 4, 2])  # more than one block
    rows = generator.standard_normal((counts.sum(), 5), np.float32)
    tokens = generator.standard_normal((9, 5), np.float32)
    one_by_one = [
        partial_similarity(torch.from_numpy(tokens), memory) for memory in torch.from_numpy(rows).split(counts.tolist())
    ]
    np.testing.assert_allclose(found_in(unit(rows), counts, unit(tokens)), one_by_one, rtol=1e-5)


def test_no_concept_has_no_score() -> None:
    assert len(late_interaction(np.empty((0, 2), np.float32), np.empty(0, np.int64), np.eye(2, dtype=np.float32))) == 0


def test_a_row_of_zeros_is_like_nothing() -> None:
    rows = unit(np.array([[0, 0], [3, 4]], np.float32))
    np.testing.assert_allclose(rows, [[0, 0], [0.6, 0.8]])


def test_best_first_keeps_the_order_of_equals() -> None:
    scores = np.array([1, 3, 2, 3, 1], np.float32)
    assert best_first(scores, 2).tolist() == [1, 3]
    assert best_first(scores, 4).tolist() == [1, 3, 2, 0]
    assert best_first(scores, 9).tolist() == [1, 3, 2, 0, 4]


def test_a_space_that_changes_nothing_keeps_cosines() -> None:
    rows = np.random.default_rng(1).standard_normal((20, 6), np.float32)
    space = fit_space(rows, axes=6)
    np.testing.assert_allclose(space(rows) @ space(rows).T, unit(rows) @ unit(rows).T, atol=1e-5)


def test_whitening_makes_axes_equally_long() -> None:
    rows = np.random.default_rng(1).standard_normal((4000, 3), np.float32) * np.array([9, 3, 1], np.float32) + 5
    space = fit_space(rows, axes=3, centred=True, whitening=1.0)
    turned = (unit(rows) - space.centre) @ space.axes
    np.testing.assert_allclose(turned.T @ turned / len(rows), np.eye(3), atol=1e-3)
