"""Kept positions: spatial order, ties, tokens without a place."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ego.errors import SelectionError
from ego.selection import all_tokens, random_tokens, top_tokens, uniform_tokens

PLACED = torch.ones(6, dtype=torch.bool)
NEWLINES = torch.tensor([True, True, False, True, True, False])


def test_the_most_important_tokens_come_back_in_raster_order() -> None:
    importance = torch.tensor([0.1, 0.9, 0.2, 0.8, 0.0, 0.7])
    assert top_tokens(importance, 3, PLACED).tolist() == [1, 3, 5]


def test_ties_go_to_the_earlier_token() -> None:
    assert top_tokens(torch.zeros(6), 2, PLACED).tolist() == [0, 1]


def test_tokens_without_a_place_are_never_chosen_by_importance() -> None:
    assert top_tokens(torch.tensor([0.0, 0.1, 9.0, 0.2, 0.3, 9.0]), 2, NEWLINES).tolist() == [3, 4]


def test_the_whole_image_keeps_them() -> None:
    assert all_tokens(NEWLINES).tolist() == [0, 1, 2, 3, 4, 5]


def test_uniform_tokens_lie_at_even_distances() -> None:
    assert uniform_tokens(3, PLACED).tolist() == [1, 3, 5]
    assert uniform_tokens(2, NEWLINES).tolist() == [1, 4]
    assert uniform_tokens(9, NEWLINES).tolist() == [0, 1, 3, 4]


def test_random_tokens_repeat_with_the_seed_and_differ_between_seeds() -> None:
    many = torch.ones(100, dtype=torch.bool)
    first, again, other = (random_tokens(20, many, seed=seed).tolist() for seed in (1, 1, 2))
    assert first == again == sorted(first)
    assert first != other


def test_an_image_without_places_is_refused() -> None:
    with pytest.raises(SelectionError, match="no visual token with a place"):
        uniform_tokens(1, torch.zeros(3, dtype=torch.bool))


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40), st.integers(1, 50))
def test_no_token_left_out_is_more_important_than_a_kept_one(scores: list[float], count: int) -> None:
    importance = torch.tensor(scores)
    kept = top_tokens(importance, count, torch.ones(len(scores), dtype=torch.bool))
    left = torch.ones(len(scores), dtype=torch.bool)
    left[kept] = False
    assert len(kept) == min(count, len(scores))
    assert not left.any() or importance[left].max() <= importance[kept].min()
