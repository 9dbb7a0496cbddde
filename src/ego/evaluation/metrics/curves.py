"""Yes-probabilities: ROC, the threshold of best F1, and expected calibration error."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import roc_auc_score, roc_curve

from ego.evaluation.manifest import RecognitionSample
from ego.evaluation.metrics import Answered
from ego.evaluation.metrics.ratio import NOT_DEFINED

BINS = 15

Truth = Bool[np.ndarray, " answer"]
Probability = Float[np.ndarray, " answer"]


@dataclass(frozen=True)
class Curve:
    """What probabilities of yes are worth.

    Attributes:
        area: Area under the ROC curve.
        best_threshold: Threshold of the highest F1 (of several, the highest threshold).
        best_f1: That F1; chosen on the same answers, so an upper bound.
        calibration_error: Expected calibration error over BINS bins of equal width.
        false_positive_rate: ROC curve, abscissa.
        true_positive_rate: ROC curve, ordinate.
    """

    area: float
    best_threshold: float
    best_f1: float
    calibration_error: float
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]


def curve(truth: Truth, probability: Probability) -> Curve | None:
    """Compute the curve; None when only one class is there."""
    if truth.all() or not truth.any():
        return None
    false_positive_rate, true_positive_rate, _ = roc_curve(truth, probability)
    threshold, f1 = best_threshold(truth, probability)
    return Curve(
        area=float(roc_auc_score(truth, probability)),
        best_threshold=threshold,
        best_f1=f1,
        calibration_error=expected_calibration_error(truth, probability),
        false_positive_rate=tuple(map(float, false_positive_rate)),
        true_positive_rate=tuple(map(float, true_positive_rate)),
    )


def probabilities(answered: Answered) -> tuple[Truth, Probability]:
    """Collect truth and probability of the recognition answers that have one."""
    pairs = [
        (sample.present, record.probability)
        for sample, record in answered
        if isinstance(sample, RecognitionSample) and record.probability is not None
    ]
    return np.array([truth for truth, _ in pairs], dtype=bool), np.array([p for _, p in pairs], dtype=float)


def best_threshold(truth: Truth, probability: Probability) -> tuple[float, float]:
    """Find the threshold t for which "present if p >= t" has the highest F1, and that F1."""
    order = np.argsort(-probability, kind="stable")
    found = np.cumsum(truth[order])
    f1 = 2 * found / (np.arange(1, len(order) + 1) + truth.sum())
    last_of_ties = np.append(np.diff(probability[order]) != 0, True)
    best = int(np.argmax(np.where(last_of_ties, f1, -1)))
    return float(probability[order][best]), float(f1[best])


def expected_calibration_error(truth: Truth, probability: Probability, bins: int = BINS) -> float:
    """Mean gap between stated probability and observed frequency, weighted by bin size."""
    if not len(truth):
        return NOT_DEFINED
    bin_of = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [abs(probability[bin_of == b].sum() - truth[bin_of == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(truth))
