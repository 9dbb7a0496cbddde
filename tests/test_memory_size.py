"""How many tokens are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ego.memory_size import memory_size, parse_area


@pytest.mark.parametrize(
    ("answer", "percent"),
    [
        ("35", 35.0),
        ("35%", 35.0),
        ("About 12.5 percent.", 12.5),
        ("Between 30 and 40", 30.0),
        ("0", 1.0),
        ("250", 100.0),
        ("0.25", 25.0),
        ("1/4 of it", 25.0),
        ("12,5", 12.5),
        ("0.5 %", 1.0),
        ("2 dogs cover 40 % of it", 40.0),
        ("3 cats, about 15 percent", 15.0),
        ("", None),
        ("most of it", None),
        ("x2y", None),
    ],
)
def test_reading_the_area_answer(answer: str, percent: float | None) -> None:
    assert parse_area(answer) == percent


def test_the_papers_numbers() -> None:
    assert memory_size(256, budget=0.2, area_percent=None).count == 51
    assert memory_size(256, budget=0.2, area_percent=10).count == 26
    assert memory_size(256, budget=0.2, area_percent=60).count == 51


def test_a_tiny_subject_keeps_the_minimum() -> None:
    assert memory_size(256, budget=0.2, area_percent=1, minimum=4).count == 4


def test_fixed_size_ignores_the_area_and_the_record_says_so() -> None:
    size = memory_size(100, budget=0.2, area_percent=5, dynamic=False)
    assert (size.count, size.rule) == (20, "cap 20 of 100 (fixed size)")


def test_the_record_says_when_the_answer_held_no_number() -> None:
    assert "no number" in memory_size(100, budget=0.2, area_percent=None).rule


@given(
    candidates=st.integers(1, 5000),
    budget=st.floats(0, 1),
    area=st.none() | st.floats(1, 100),
    minimum=st.integers(1, 20),
)
def test_always_between_one_and_all(candidates: int, budget: float, area: float | None, minimum: int) -> None:
    count = memory_size(candidates, budget=budget, area_percent=area, minimum=minimum).count
    assert min(minimum, candidates) <= count <= candidates
