"""Confidence intervals: resample scenes with replacement, sum their tallies, score the sums.

Answers about one scene depend on each other, so scenes are drawn, not answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Tally = Float[np.ndarray, "scene ..."]
Scores = Callable[[np.ndarray], Mapping[str, float]]
REPEATS = 1000
LEVEL = 0.95
SEED = 0


@dataclass(frozen=True)
class Estimate:
    """A score and the bounds of its confidence interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


def estimates(tally: Tally, scores: Scores, *, repeats: int = REPEATS, seed: int = SEED) -> dict[str, Estimate]:
    """Score a tally, each score with a percentile interval of level LEVEL."""
    drawn = [scores(total) for total in _totals(tally, repeats, seed)]
    return {
        name: Estimate(value, *_interval([scores_[name] for scores_ in drawn]))
        for name, value in scores(tally.sum(0)).items()
    }


def differences(
    ours: Tally, theirs: Tally, scores: Scores, *, repeats: int = REPEATS, seed: int = SEED
) -> dict[str, Estimate]:
    """Estimate by how much `ours` scores higher, on the same scenes in the same order (paired resampling)."""
    pairs = zip(_totals(ours, repeats, seed), _totals(theirs, repeats, seed), strict=True)
    drawn = [_minus(scores(one), scores(other)) for one, other in pairs]
    value = _minus(scores(ours.sum(0)), scores(theirs.sum(0)))
    return {name: Estimate(value[name], *_interval([gap[name] for gap in drawn])) for name in value}


def _totals(tally: Tally, repeats: int, seed: int) -> np.ndarray:
    scenes = len(tally)
    if not scenes:
        return np.zeros((0, *tally.shape[1:]))
    weights: Int[np.ndarray, "repeat scene"] = np.random.default_rng(seed).multinomial(
        scenes, np.full(scenes, 1 / scenes), size=repeats
    )
    return np.tensordot(weights.astype(float), tally, axes=1)


def _minus(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float]:
    return {name: ours[name] - theirs[name] for name in ours}


def _interval(values: list[float]) -> tuple[float, float]:
    defined = np.array([value for value in values if not np.isnan(value)])
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
