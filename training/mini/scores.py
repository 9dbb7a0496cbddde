"""Scores of yes/no decisions with confidence intervals, and the threshold that suits a validation set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ego.evaluation.metrics.curves import best_threshold as threshold_of_best_f1
from ego.evaluation.metrics.curves import expected_calibration_error

REPEATS, LEVEL = 500, 0.95


@dataclass(frozen=True)
class Decision:
    """One question, "is this concept in this picture".

    `same_group`: the picture shows something of its group. Decisions about one `scene` depend on each other.
    """

    truth: bool
    score: float
    same_group: bool = False
    scene: str = ""


def truths_and_scores(decisions: Sequence[Decision]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Take both columns."""
    return np.array([d.truth for d in decisions]), np.array([d.score for d in decisions], float)


def report(decisions: Sequence[Decision], threshold: float) -> dict[str, object]:
    """Compute F1, precision, recall, area under ROC, and the share of false alarms among pictures of the same group."""
    truth, score = truths_and_scores(decisions)
    said = score >= threshold
    near = np.array([d.same_group and not d.truth for d in decisions])
    f1, precision, recall = _f1(truth, said)
    wrongly, in_group = (float(said[some].mean()) if some.any() else float("nan") for some in (~truth, near))
    figures: dict[str, object] = {
        "f1": round(f1, 3),
        "f1_interval": interval(decisions, lambda some: _f1(some[0], some[1] >= threshold)[0]),
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "area": round(area_under_roc(decisions), 3),
        "area_interval": interval(decisions, lambda some: _area(*some)),
        "best_f1": round(best_f1(decisions), 3),
        "false_positives": round(wrongly, 3),
        "in_group_false_positives": round(in_group, 3),
        "threshold": round(threshold, 3),
        "questions": len(decisions),
    }
    probabilities = score.min() >= 0 and score.max() <= 1
    return figures | (
        {"calibration_error": round(expected_calibration_error(truth, score), 3)} if probabilities else {}
    )


def interval(
    decisions: Sequence[Decision], score: Callable[[tuple[NDArray[np.bool_], NDArray[np.float64]]], float]
) -> tuple[float, float]:
    """Resample scenes with replacement; give the bounds of the middle 95 % of the scores."""
    truth, said = truths_and_scores(decisions)
    names = [d.scene or str(number) for number, d in enumerate(decisions)]
    scenes = {name: number for number, name in enumerate(dict.fromkeys(names))}
    of_scene = np.array([scenes[name] for name in names])
    places = [np.flatnonzero(of_scene == scene) for scene in range(len(scenes))]
    rng, drawn = np.random.default_rng(0), []
    for _ in range(REPEATS):
        chosen = np.concatenate([places[scene] for scene in rng.integers(len(scenes), size=len(scenes))])
        drawn.append(score((truth[chosen], said[chosen])))
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return round(float(low), 3), round(float(high), 3)


def _f1(truth: NDArray[np.bool_], said: NDArray[np.bool_]) -> tuple[float, float, float]:
    hits = int((truth & said).sum())
    precision, recall = hits / max(1, int(said.sum())), hits / max(1, int(truth.sum()))
    return 2 * precision * recall / max(1e-9, precision + recall), precision, recall


def _area(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    return float("nan") if truth.all() or not truth.any() else float(roc_auc_score(truth, score))


def area_under_roc(decisions: Sequence[Decision]) -> float:
    """Compute the share of pairs in which what is there has the higher score."""
    return _area(*truths_and_scores(decisions))


def best_threshold(decisions: Sequence[Decision]) -> float:
    """Find the threshold of the highest F1."""
    return threshold_of_best_f1(*truths_and_scores(decisions))[0]


def best_f1(decisions: Sequence[Decision]) -> float:
    """Find the highest F1 over all thresholds."""
    return threshold_of_best_f1(*truths_and_scores(decisions))[1]
