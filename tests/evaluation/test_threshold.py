"""Thresholds from a few photos, against counts made by hand."""

import pytest

from ego.cli.threshold import _repeated, _rounded_up
from ego.errors import InputError
from ego.evaluation.threshold import tune


def test_nineteen_negatives_are_enough_for_one_in_twenty() -> None:
    negatives = [number / 100 for number in range(1, 20)]
    tuned = tune(negatives)
    assert tuned.threshold > 0.19
    assert tuned.threshold == pytest.approx(0.19)
    assert (tuned.false_alarms, tuned.recall) == (0, None)
    assert tuned.rule == "above 19 of 19 negatives"


def test_with_many_negatives_some_may_alarm() -> None:
    negatives = [number / 100 for number in range(1, 100)]
    tuned = tune(negatives)
    assert tuned.threshold == pytest.approx(0.95)  # rank ceil(100 * 0.95) = 95
    assert tuned.false_alarms == pytest.approx(4 / 99)


def test_too_few_negatives_say_how_many_are_needed() -> None:
    tuned = tune([0.2, 0.4])
    assert tuned.threshold == pytest.approx(0.4)
    assert "19 are needed to promise 5%" in tuned.rule


def test_positives_put_the_threshold_into_the_widest_gap() -> None:
    tuned = tune([0.1, 0.3], [0.7, 0.9])
    assert tuned.threshold == pytest.approx(0.5)
    assert (tuned.false_alarms, tuned.recall) == (0, 1)


def test_overlapping_photos_are_separated_as_well_as_possible() -> None:
    tuned = tune([0.1, 0.2, 0.8], [0.6, 0.9])
    # 0.4: both positives, two of three negatives: 1 + 2/3; 0.85: one positive, all negatives: 1/2 + 1
    assert tuned.threshold == pytest.approx(0.4)
    assert (tuned.false_alarms, tuned.recall) == (pytest.approx(1 / 3), 1)


def test_certain_negatives_leave_no_room() -> None:
    assert tune([1.0] * 30).threshold == 1.0


@pytest.mark.parametrize("probability", [0.87349, 0.8734904, 0.1, 0.0, 1e-9, 0.999999999, 1.0])
def test_the_printed_threshold_refuses_the_photo_it_comes_from(probability: float) -> None:
    threshold = tune([probability] * 19).threshold
    printed = str(_rounded_up(threshold))
    assert len(printed) == len("0.123456")
    assert threshold <= float(printed) <= min(1.0, threshold + 1e-6)


def test_no_negative() -> None:
    with pytest.raises(InputError, match="at least one"):
        tune([], [0.9])


def test_an_option_takes_all_files_behind_it() -> None:
    given = ["--name", "Bo", "--negatives", "a.jpg", "b.jpg", "--positives", "c.jpg", "d.jpg", "--json"]
    negatives, positives = ["--negatives", "a.jpg", "--negatives", "b.jpg"], ["--positives", "c.jpg"]
    assert _repeated(given) == ["--name", "Bo", *negatives, *positives, "--positives", "d.jpg", "--json"]
