"""A few photos of the user's own album -> the probability from which a concept counts as present.

With photos that show none of the concepts (negatives), the threshold keeps the rate of false alarms at or below a
wanted one: the conformal quantile, which holds for any model if new photos are like these. With positives too, it is
the threshold of the best balanced accuracy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, nextafter

from ego.errors import InputError

FALSE_ALARMS = 0.05


@dataclass(frozen=True)
class Tuned:
    """A threshold and what it does on the photos it comes from.

    Attributes:
        threshold: Present from this probability on.
        false_alarms: Share of the negatives at or above it.
        recall: Share of the positives at or above it; None without positives.
        rule: How it was found, in words.
    """

    threshold: float
    false_alarms: float
    recall: float | None
    rule: str


def tune(negatives: Sequence[float], positives: Sequence[float] = (), *, false_alarms: float = FALSE_ALARMS) -> Tuned:
    """Find the threshold.

    Args:
        negatives: Probability of yes for each photo that shows none of the concepts; the highest of several concepts.
        positives: The same on photos that do.
        false_alarms: Wanted rate; used without positives.

    Raises:
        InputError: If there is no negative.
    """
    if not negatives:
        raise InputError("no photo without the concept was given; a threshold needs at least one")
    threshold, rule = _separating(negatives, positives) if positives else _quantile(negatives, false_alarms)
    alarms = sum(p >= threshold for p in negatives) / len(negatives)
    recall = sum(p >= threshold for p in positives) / len(positives) if positives else None
    return Tuned(threshold, alarms, recall, rule)


def _quantile(negatives: Sequence[float], false_alarms: float) -> tuple[float, str]:
    """Go just above the conformal quantile of the negatives; above all of them if they are too few for the rate."""
    rank = ceil((len(negatives) + 1) * (1 - false_alarms))
    highest = sorted(negatives)[min(rank, len(negatives)) - 1]
    rule = f"above {min(rank, len(negatives))} of {len(negatives)} negatives"
    if rank > len(negatives):
        rule += f"; {ceil(1 / false_alarms) - 1} are needed to promise {false_alarms:.0%} false alarms"
    return min(1.0, nextafter(highest, 2.0)), rule


def _separating(negatives: Sequence[float], positives: Sequence[float]) -> tuple[float, str]:
    """Go to the middle of the gap with the best balanced accuracy; of several gaps, to the widest."""
    values = sorted({0.0, *negatives, *positives, 1.0})
    gaps = list(pairwise(values))

    def merit(gap: tuple[float, float]) -> tuple[float, float]:
        middle = sum(gap) / 2
        found = sum(p >= middle for p in positives) / len(positives)
        refused = sum(p < middle for p in negatives) / len(negatives)
        return found + refused, gap[1] - gap[0]

    best = max(gaps, key=merit)
    return sum(best) / 2, f"best balanced accuracy of {len(negatives)} negatives and {len(positives)} positives"
