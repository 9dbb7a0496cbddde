"""The space in which visual tokens are compared."""

import pytest
import torch
from safetensors.torch import save
from torch.nn.functional import cosine_similarity, normalize

from ego.token_space import TokenSpace, fit_token_space


def rows(count: int = 4_000) -> torch.Tensor:
    drawn = torch.Generator().manual_seed(0)
    return torch.randn(count, 6, generator=drawn) * torch.tensor([9.0, 5, 3, 2, 1, 1]) + torch.tensor(
        [20.0, 0, 0, 0, 0, 0]
    )


def test_rows_are_spread_alike_around_nothing() -> None:
    space = fit_token_space(rows())
    moved = (normalize(rows(), dim=-1) - space.centre) @ space.axes
    assert torch.allclose(moved.mean(0), torch.zeros(6), atol=1e-4)
    assert torch.allclose(moved.T @ moved / len(moved), torch.eye(6), atol=1e-3)


def test_a_cosine_is_the_mean_of_both() -> None:
    space = fit_token_space(rows())
    one, other = rows(2)
    plain = cosine_similarity(one, other, dim=0)
    whitened = cosine_similarity(*((normalize(r, dim=-1) - space.centre) @ space.axes for r in (one, other)), dim=0)
    both = cosine_similarity(*space(rows(2)), dim=0)
    assert both.item() == pytest.approx((plain + whitened).item() / 2, abs=1e-5)


def test_the_length_of_a_row_does_not_matter() -> None:
    space = fit_token_space(rows())
    assert torch.allclose(space(3 * rows(9)), space(rows(9)), atol=1e-5)


def test_an_axis_without_spread_stays_finite() -> None:
    flat = rows(50)
    flat[:, 5] = 0
    assert fit_token_space(flat)(rows(9)).isfinite().all()


def test_a_space_is_read_as_it_was_written() -> None:
    space = fit_token_space(rows())
    again = TokenSpace.from_bytes(space.to_bytes())
    assert torch.allclose(again(rows(9)), space(rows(9)), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"centre": torch.zeros(3)}, "axes"),
        ({"centre": torch.zeros(3), "axes": torch.zeros(4, 4)}, r"\[4, 4\]"),
        ({"centre": torch.zeros(3), "axes": torch.full((3, 3), torch.inf)}, "not finite"),
    ],
)
def test_what_is_no_space_is_refused(tensors: dict[str, torch.Tensor], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TokenSpace.from_bytes(save(tensors))
