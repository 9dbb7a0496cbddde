"""Captions: are the right concepts named, and only they?

`recall` is the share of present concepts that are named (MyVLM, RAP, MC-LLaVA). `repic_precision` follows RePIC's
scorer: a wrong name only counts where the right one is missing. `set_f1` (CoViP) and `false_name_rate` count it always.
"""

import numpy as np

from ego.evaluation.manifest import CaptionSample, Manifest
from ego.evaluation.metrics import Answered
from ego.evaluation.metrics.bootstrap import Tally
from ego.evaluation.metrics.ratio import harmonic, ratio
from ego.evaluation.reading import named


def tally(answered: Answered, manifest: Manifest) -> Tally:
    """Count by scene, see `_row`; names of all subjects of the data set count as names."""
    names = {subject.name: subject.key for subject in manifest.subjects}
    rows = []
    for sample, record in answered:
        assert isinstance(sample, CaptionSample)
        said = {names[name] for name in named(record.text, list(names))}
        rows.append(_row(set(sample.present), said))
    return np.array(rows, dtype=float).reshape(len(rows), 8)


def scores(total: np.ndarray) -> dict[str, float]:
    """Score a tally summed over scenes."""
    captions, with_false, shown, said, hits, misses, recalls, set_f1s = total
    recall, repic_precision = ratio(hits, shown), ratio(hits, hits + misses)
    return {
        "recall": recall,
        "recall_by_image": ratio(recalls, captions),
        "precision": ratio(hits, said),
        "set_f1": ratio(set_f1s, captions),
        "false_name_rate": ratio(with_false, captions),
        "repic_precision": repic_precision,
        "repic_f1": harmonic(repic_precision, recall),
    }


def _row(shown: set[str], said: set[str]) -> list[float]:
    """Count one caption: 1, any false name, shown, named, hits, misses with a wrong name, recall, set-level F1."""
    hits, false = shown & said, said - shown
    misses = len(shown - said) if false else 0
    recall = len(hits) / len(shown) if shown else 1.0
    both = len(shown) + len(said)
    set_f1 = 2 * len(hits) / both if both else 1.0
    return [1, bool(false), len(shown), len(said), len(hits), misses, recall, set_f1]
