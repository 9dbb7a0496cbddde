"""Who enters the prompt when not all fit."""

import pytest
import torch

from ego.similarity_filter import fill, partial_similarity, shortlist, similarity
from tests.examples_of_memories import memory_of, tokens_of

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def test_similarity_is_the_mean_over_rows_of_the_best_cosine() -> None:
    image = torch.tensor([[5.0, 0.0]])
    assert similarity(torch.tensor([EAST, NORTH]), image) == pytest.approx(0.5)
    assert similarity(torch.tensor([EAST, NORTH]), torch.tensor([[5.0, 0.0], [0.0, 2.0]])) == pytest.approx(1.0)


def test_what_is_not_seen_of_a_memory_does_not_count_against_it() -> None:
    memory = torch.eye(4)[:3]  # one row of three is nowhere in the picture; the better half of three are two
    assert partial_similarity(memory, torch.eye(4)[:2]) == pytest.approx(1.0)
    assert partial_similarity(memory, torch.eye(4)[:1]) == pytest.approx(0.5)


def test_everything_stays_within_the_budget() -> None:
    memories = [memory_of("a"), memory_of("b")]
    chosen = shortlist(memories, [], budget=4)
    assert (chosen.kept, chosen.dropped) == (tuple(memories), ())


def test_the_least_similar_goes_and_the_order_stays() -> None:
    east, north, mixed = (memory_of(n, torch.tensor(r)) for n, r in (("e", [EAST]), ("n", [NORTH]), ("m", [EAST])))
    chosen = shortlist([north, east, mixed], [tokens_of(torch.tensor([EAST]))], budget=2)
    assert [memory.name for memory in chosen.kept] == ["e", "m"]
    assert chosen.dropped == ("n",)


def test_a_memory_too_large_for_the_rest_of_the_budget_makes_room_for_a_smaller_one() -> None:
    large, small = memory_of("large", torch.tensor([EAST] * 3)), memory_of("small", torch.tensor([NORTH]))
    chosen = shortlist([large, small], [tokens_of(torch.tensor([EAST]))], budget=2)
    assert [memory.name for memory in chosen.kept] == ["small"]


def test_without_an_image_the_first_ones_that_fit_stay() -> None:
    chosen = shortlist([memory_of("a"), memory_of("b")], [], budget=2)
    assert [memory.name for memory in chosen.kept] == ["a"]
    assert chosen.dropped == ("b",)


def test_a_ranking_fills_the_budget_and_the_order_stays() -> None:
    first, second, third = (memory_of(name) for name in "abc")
    chosen = fill([third, first, second], budget=4)
    assert [memory.name for memory in chosen.kept] == ["a", "c"]
    assert chosen.dropped == ("b",)
    assert fill([second, first], budget=4, cost=lambda memory: 3).kept == (second,)
