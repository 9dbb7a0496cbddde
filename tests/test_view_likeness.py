"""How alike views are, and which one is unlike the others."""

import logging
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ego.memory import ConceptMemory
from ego.view_likeness import likeness, odd_view, pointed_out, view_rows
from tests.examples_of_memories import RECORD, memory_of, tokens_of


def memory_with(*views: Tensor) -> ConceptMemory:
    """A memory with these rows in its views."""
    records = tuple(
        RECORD.model_copy(update={"kept": tuple(range(len(rows))), "image": f"{number}" * 64})
        for number, rows in enumerate(views)
    )
    return replace(memory_of("Bo"), tokens=tokens_of(torch.cat(views)), views=records)


def about(direction: tuple[float, ...], seed: int, spread: float = 0.2) -> Tensor:
    noise = torch.randn(6, len(direction), generator=torch.Generator().manual_seed(seed))
    return torch.tensor(direction) + spread * noise


def test_likeness_is_the_mean_of_the_best_cosines_both_ways() -> None:
    one = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    other = torch.tensor([[1.0, 0.0]])
    assert likeness(one, one) == 1.0
    assert likeness(one, other) == pytest.approx((0.5 + 1.0) / 2)
    assert likeness(other, one) == likeness(one, other)


def test_rows_come_view_by_view_with_length_one() -> None:
    first, second = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0], [5.0, 0.0]])
    parts = view_rows(memory_with(first, second))
    assert [len(part) for part in parts] == [1, 2]
    assert torch.allclose(parts[0], torch.tensor([[0.6, 0.8]]))


def test_the_one_unlike_the_others_is_found_wherever_it_stands(caplog: pytest.LogCaptureFixture) -> None:
    alike = [about((1.0, 0.0, 0.0), seed) for seed in range(3)]
    odd = about((0.0, 1.0, 0.0), 9)
    for place in range(4):
        views = [*alike[:place], odd, *alike[place:]]
        found = odd_view(memory_with(*views))
        assert found is not None
        assert found.view == place
        assert found.likeness < found.others
    assert odd_view(memory_with(*alike)) is None
    assert odd_view(memory_with(alike[0], odd)) is None, "of two nobody knows which"
    with caplog.at_level(logging.WARNING):
        assert pointed_out(memory_with(*alike)).name == "Bo"
        assert not caplog.records
        pointed_out(memory_with(*alike, odd))
    assert "view 3 of Bo is unlike" in caplog.text
