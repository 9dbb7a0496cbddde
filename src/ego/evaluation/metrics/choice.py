"""Multiple choice, asked in the given and in the reverse order of options: right answers, and position bias.

`accuracy_both` (right in both orders) is the score that "always the first" cannot win.
"""

from collections.abc import Mapping

import numpy as np

from ego.evaluation.manifest import ChoiceSample, Manifest
from ego.evaluation.metrics import Answered
from ego.evaluation.metrics.bootstrap import Tally
from ego.evaluation.metrics.ratio import ratio
from ego.evaluation.records import Record


def tally(answered: Answered, manifest: Manifest) -> Tally:
    """Count by scene, see `_row`."""
    del manifest  # all scorers are called alike
    scenes: dict[str, dict[str, tuple[ChoiceSample, dict[bool, Record]]]] = {}
    for sample, record in answered:
        assert isinstance(sample, ChoiceSample)
        questions = scenes.setdefault(sample.scene, {})
        questions.setdefault(sample.id, (sample, {}))[1][record.swapped] = record
    rows = [np.sum([_row(*asked) for asked in questions.values()], axis=0) for questions in scenes.values()]
    return np.array(rows, dtype=float).reshape(len(rows), 8)


def scores(total: np.ndarray) -> dict[str, float]:
    """Score a tally summed over scenes."""
    given, given_right, swapped, swapped_right, both, both_right, first, unparsable = total
    return {
        "accuracy": ratio(given_right, given),
        "accuracy_swapped": ratio(swapped_right, swapped),
        "accuracy_both": ratio(both_right, both),
        "first_option_rate": ratio(first, given + swapped),
        "unparsable_rate": ratio(unparsable, given + swapped),
    }


def _row(sample: ChoiceSample, records: Mapping[bool, Record]) -> list[int]:
    """Count: given, right; swapped, right; asked both ways, right both ways; first option chosen; unparsable."""
    right = {swapped: record.choice == sample.answer for swapped, record in records.items()}
    last = len(sample.options) - 1
    first = sum(record.choice == (last if swapped else 0) for swapped, record in records.items())
    unread = sum(record.choice is None for record in records.values())
    both = len(records) == len((False, True))
    return [
        False in right,
        right.get(False, False),
        True in right,
        right.get(True, False),
        both,
        both and all(right.values()),
        first,
        unread,
    ]
