"""Recognition: precision, recall and F1 three ways, weighted accuracy, and how the errors are made.

An answer that is neither yes nor no detects nothing, and is a wrong answer in every accuracy (peers drop it).
A concept that has positives and was never detected has precision 0 in `macro_precision`; `macro_precision_defined`
leaves it out. A concept without positives (none drawn, none within the limit) counts only if it was detected falsely.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from ego.evaluation.manifest import Manifest, RecognitionSample
from ego.evaluation.metrics import Answered
from ego.evaluation.metrics.bootstrap import Tally
from ego.evaluation.metrics.ratio import harmonic, mean, ratio


class Count(IntEnum):
    """Columns of the tally."""

    TRUE_POSITIVE = 0
    FALSE_POSITIVE = 1
    FALSE_NEGATIVE = 2
    TRUE_NEGATIVE = 3
    UNPARSABLE = 4
    UNPARSABLE_NEGATIVE = 5
    GROUP_NEGATIVE = 6
    GROUP_FALSE_POSITIVE = 7


def tally(answered: Answered, manifest: Manifest) -> Tally:
    """Count outcomes by scene, concept and Count; scenes in order of first appearance."""
    concepts = {subject.key: place for place, subject in enumerate(manifest.subjects)}
    scenes = {scene: place for place, scene in enumerate(dict.fromkeys(sample.scene for sample, _ in answered))}
    counts = np.zeros((len(scenes), len(concepts), len(Count)))
    same_group = _same_group(answered, manifest)
    for (sample, record), in_group in zip(answered, same_group, strict=True):
        assert isinstance(sample, RecognitionSample)
        for column in _columns(sample.present, record.present, in_group):
            counts[scenes[sample.scene], concepts[sample.asked], column] += 1
    return counts


def scores(total: np.ndarray) -> dict[str, float]:
    """Score a tally summed over scenes."""
    found, wrong, missed = total[:, Count.TRUE_POSITIVE : Count.FALSE_NEGATIVE + 1].T
    each_precision = np.array([ratio(t, t + f) for t, f in zip(found, wrong, strict=True)])
    each_recall = np.array([ratio(t, t + m) for t, m in zip(found, missed, strict=True)])
    relevant = found + wrong + missed > 0
    each_f1 = np.array([ratio(2 * t, 2 * t + f + m) for t, f, m in zip(found, wrong, missed, strict=True)])
    precision = ratio(found.sum(), (found + wrong).sum())
    recall = ratio(found.sum(), (found + missed).sum())
    macro_precision = mean(np.nan_to_num(each_precision[relevant]))
    return {
        "f1": ratio(2 * found.sum(), (2 * found + wrong + missed).sum()),
        "precision": precision,
        "recall": recall,
        "macro_f1": harmonic(macro_precision, mean(each_recall)),
        "macro_precision": macro_precision,
        "macro_precision_defined": mean(each_precision),
        "macro_recall": mean(each_recall),
        "mean_concept_f1": mean(each_f1),
        **_accuracies(total.sum(0)),
    }


def weighted_accuracy(accuracy_positive: float, accuracy_negative: float) -> float:
    """Weigh positives and negatives equally, as Yo'LLaVA and R2P do."""
    return (accuracy_positive + accuracy_negative) / 2


def by_concept(total: np.ndarray, manifest: Manifest) -> dict[str, dict[str, float]]:
    """Score each concept of a summed tally by itself."""
    return {subject.key: scores(total[place : place + 1]) for place, subject in enumerate(manifest.subjects)}


def _accuracies(total: np.ndarray) -> dict[str, float]:
    positives = total[Count.TRUE_POSITIVE] + total[Count.FALSE_NEGATIVE]
    negatives = total[Count.FALSE_POSITIVE] + total[Count.TRUE_NEGATIVE]
    on_positives = ratio(total[Count.TRUE_POSITIVE], positives)
    on_negatives = ratio(total[Count.TRUE_NEGATIVE] - total[Count.UNPARSABLE_NEGATIVE], negatives)
    return {
        "accuracy_positive": on_positives,
        "accuracy_negative": on_negatives,
        "weighted_accuracy": weighted_accuracy(on_positives, on_negatives),
        "yes_rate": ratio(total[Count.TRUE_POSITIVE] + total[Count.FALSE_POSITIVE], positives + negatives),
        "unparsable_rate": ratio(total[Count.UNPARSABLE], positives + negatives),
        "group_false_positive_rate": ratio(total[Count.GROUP_FALSE_POSITIVE], total[Count.GROUP_NEGATIVE]),
    }


def _columns(present: bool, said: bool | None, in_group: bool) -> list[Count]:
    """List what an answer adds to."""
    if present:
        columns = [Count.TRUE_POSITIVE if said else Count.FALSE_NEGATIVE]
    else:
        columns = [Count.FALSE_POSITIVE if said else Count.TRUE_NEGATIVE]
        columns += [Count.GROUP_NEGATIVE] if in_group else []
        columns += [Count.GROUP_FALSE_POSITIVE] if in_group and said else []
    if said is None:
        columns += [Count.UNPARSABLE] if present else [Count.UNPARSABLE, Count.UNPARSABLE_NEGATIVE]
    return columns


def _same_group(answered: Answered, manifest: Manifest) -> Sequence[bool]:
    """Say for each question whether something of the asked concept's group is in the scene."""
    group_of = {subject.key: subject.group for subject in manifest.subjects}
    groups_in: dict[str, set[str]] = {}
    for sample, _ in answered:
        if isinstance(sample, RecognitionSample) and sample.present:
            groups_in.setdefault(sample.scene, set()).add(group_of[sample.asked])
    return [
        isinstance(sample, RecognitionSample) and group_of[sample.asked] in groups_in.get(sample.scene, set()) - {""}
        for sample, _ in answered
    ]
