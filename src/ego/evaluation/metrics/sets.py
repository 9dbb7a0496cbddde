"""Concept pairs (This-is-My-Img multi): a pair is found in an image only if all its members are.

An image is positive for its own pair and negative for all others; balanced accuracy is the mean of both recalls.
"""

import numpy as np

from ego.evaluation.manifest import Manifest, RecognitionSample
from ego.evaluation.metrics import Answered
from ego.evaluation.metrics.bootstrap import Tally
from ego.evaluation.metrics.ratio import ratio


def tally(answered: Answered, manifest: Manifest) -> Tally:
    """Count by scene: pairs shown, shown and found, not shown, not shown and not found."""
    shown: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    for sample, record in answered:
        assert isinstance(sample, RecognitionSample)
        shown.setdefault(sample.scene, set()).update([sample.asked] if sample.present else [])
        found.setdefault(sample.scene, set()).update([sample.asked] if record.present else [])
    rows = [_row(manifest.sets, shown[scene], found[scene]) for scene in shown]
    return np.array(rows, dtype=float).reshape(len(rows), 4)


def scores(total: np.ndarray) -> dict[str, float]:
    """Score a tally summed over scenes."""
    positives, hits, negatives, refusals = total
    recall, negative_recall = ratio(hits, positives), ratio(refusals, negatives)
    return {
        "set_recall": recall,
        "set_negative_recall": negative_recall,
        "set_balanced_accuracy": (recall + negative_recall) / 2,
    }


def _row(sets: tuple[tuple[str, ...], ...], shown: set[str], found: set[str]) -> list[int]:
    positives = [members for members in sets if set(members) <= shown]
    negatives = [members for members in sets if not set(members) <= shown]
    hits = sum(set(members) <= found for members in positives)
    return [len(positives), hits, len(negatives), sum(not set(members) <= found for members in negatives)]
