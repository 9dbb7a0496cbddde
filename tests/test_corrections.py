"""Yes and no of the user: kept, taken back, and what is learnt from them."""

import math
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ego.corrections import FILE_NAME, Correction, Corrections, log_odds, logistic, shift
from ego.errors import StoreError


def said(there: bool, margin: float, picture: str = "p", concept: str = "bo") -> Correction:
    return Correction(concept=concept, picture=picture, there=there, margin=margin, model="m")


def test_corrections_are_kept_replaced_and_taken_back(tmp_path: Path) -> None:
    corrections = Corrections(tmp_path / "library")
    assert corrections.all() == ()
    assert corrections.undo() is None
    corrections.add(said(True, 0.5, "one"))
    corrections.add(said(False, 0.5, "two"))
    corrections.add(said(False, 0.5, "one"))
    assert [(one.picture, one.there) for one in Corrections(tmp_path / "library").all()] == [
        ("two", False),
        ("one", False),
    ]
    taken = corrections.undo()
    assert taken is not None
    assert taken.picture == "one"
    assert [one.picture for one in corrections.of("bo", "m")] == ["two"]
    assert corrections.of("bo", "another model") == ()
    corrections.forget("bo")
    assert corrections.all() == ()


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for turn in range(10):
            Corrections(tmp_path).add(said(True, 0.0, f"{number} {turn}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Corrections(tmp_path).all()) == 40


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": 2}', b'{"format": 1, "corrections": [{}]}', b"\xff"])
def test_a_damaged_file_is_said_to_be_one_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    for act in (
        Corrections(tmp_path).all,
        Corrections(tmp_path).undo,
        lambda: Corrections(tmp_path).add(said(True, 0)),
    ):
        with pytest.raises(StoreError, match="cannot be read") as caught:
            act()
        assert "\n" not in str(caught.value)
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_nothing_said_shifts_nothing() -> None:
    assert shift(()) == 0.0


def test_one_correction_moves_a_little_and_many_agree_on_a_threshold() -> None:
    one = shift([said(False, 2.0)])
    assert -1.5 < one < -0.5
    wrong = [said(False, 2.0 + 0.1 * number, str(number)) for number in range(8)]
    right = [said(True, 5.0 + 0.1 * number, f"yes {number}") for number in range(8)]
    learnt = shift(wrong + right)
    assert all(logistic(item.margin + learnt) < 0.5 for item in wrong)
    assert all(logistic(item.margin + learnt) > 0.5 for item in right)


@given(st.lists(st.tuples(st.booleans(), st.floats(-20, 20)), max_size=20))
def test_the_shift_is_where_the_posterior_is_highest(items: list[tuple[bool, float]]) -> None:
    corrections = [said(there, margin, str(number)) for number, (there, margin) in enumerate(items)]

    def posterior(value: float) -> float:
        fit = sum(math.log(max(1e-300, logistic((1 if there else -1) * (margin + value)))) for there, margin in items)
        return fit - value**2 / (2 * 1.5**2)

    best = shift(corrections)
    assert all(posterior(best) >= posterior(best + step) - 1e-6 for step in (-0.5, -0.01, 0.01, 0.5))


@given(st.floats(1e-6, 1 - 1e-6))
def test_log_odds_and_back(probability: float) -> None:
    assert logistic(log_odds(probability)) == pytest.approx(probability, abs=1e-6)
