"""Eq. 3 on numbers a reader can check by eye."""

import pytest
import torch

from ego.attention import token_importance
from ego.errors import SelectionError

# 2 layers, 1 head, 2 keywords, 3 visual tokens
WEIGHTS = torch.tensor([[[[0.1, 0.2, 0.0], [0.3, 0.0, 0.0]]], [[[0.0, 0.4, 0.0], [0.0, 0.0, 0.4]]]])


def test_mean_over_layers_heads_and_keywords() -> None:
    assert token_importance(WEIGHTS).tolist() == pytest.approx([0.1, 0.15, 0.1])


def test_max_over_layers_heads_and_keywords() -> None:
    assert token_importance(WEIGHTS, reduction="max").tolist() == pytest.approx([0.3, 0.4, 0.4])


def test_normalised_rows_weigh_the_same() -> None:
    expected = [(1 / 3 + 1) / 4, (2 / 3 + 1) / 4, 1 / 4]
    assert token_importance(WEIGHTS, normalize=True).tolist() == pytest.approx(expected)


def test_normalising_a_row_of_zeros_is_harmless() -> None:
    assert token_importance(torch.zeros(1, 1, 1, 2), normalize=True).tolist() == [0.0, 0.0]


def test_no_keyword_is_refused_with_advice() -> None:
    with pytest.raises(SelectionError, match="give keywords or a region"):
        token_importance(torch.zeros(2, 1, 0, 3))
