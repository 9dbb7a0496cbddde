"""Scores of yes/no decisions, and the threshold that suits a validation set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decision:
    """One question, "is this concept in this picture"; `same_group`: the picture shows something of its group."""

    truth: bool
    score: float
    same_group: bool = False


def report(decisions: Sequence[Decision], threshold: float) -> dict[str, float]:
    """Compute F1, precision, recall and the share of false alarms among pictures of the same group."""
    truth = np.array([d.truth for d in decisions])
    said = np.array([d.score >= threshold for d in decisions])
    near = np.array([d.same_group and not d.truth for d in decisions])
    f1, precision, recall = _f1(truth, said)
    wrongly, in_group = (float(said[some].mean()) if some.any() else float("nan") for some in (~truth, near))
    return {
        "f1": round(f1, 3),
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "false_positives": round(wrongly, 3),
        "in_group_false_positives": round(in_group, 3),
        "threshold": round(threshold, 3),
        "questions": len(decisions),
    }


def _f1(truth: NDArray[np.bool_], said: NDArray[np.bool_]) -> tuple[float, float, float]:
    hits = int((truth & said).sum())
    precision, recall = hits / max(1, int(said.sum())), hits / max(1, int(truth.sum()))
    return 2 * precision * recall / max(1e-9, precision + recall), precision, recall


def best_threshold(decisions: Sequence[Decision]) -> float:
    """Find the threshold of the highest F1."""
    truth, scores = np.array([d.truth for d in decisions]), np.array([d.score for d in decisions])
    candidates = np.unique(scores)
    return float(max(candidates, key=lambda limit: _f1(truth, scores >= limit)[0]))
