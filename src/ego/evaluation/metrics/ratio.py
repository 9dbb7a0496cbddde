"""Ratios and harmonic means that are NaN, not an error, where they are not defined."""

import numpy as np

NOT_DEFINED = float("nan")


def ratio(part: float, whole: float) -> float:
    """Divide; NaN by zero."""
    return float(part / whole) if whole else NOT_DEFINED


def harmonic(precision: float, recall: float) -> float:
    """Harmonic mean (F1); 0 when both are 0, NaN when one is not defined."""
    if np.isnan(precision) or np.isnan(recall):
        return NOT_DEFINED
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def mean(values: np.ndarray) -> float:
    """Mean of the defined values; NaN when there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else NOT_DEFINED
