"""Open answers: contained words, character BLEU as MC-LLaVA has it, and a judge model's verdict if one was asked."""

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np

from ego.evaluation.manifest import Manifest, OpenSample
from ego.evaluation.metrics import Answered
from ego.evaluation.metrics.bootstrap import Tally
from ego.evaluation.metrics.ratio import ratio
from ego.evaluation.reading import named

BLEU_WEIGHTS = (0.7, 0.3)  # of one and two characters
BLEU_EPSILON = 0.1  # in place of a count of zero (smoothing method 1 of nltk)


def tally(answered: Answered, manifest: Manifest, judged: Mapping[str, bool | None] | None = None) -> Tally:
    """Count by scene: answers, containing the reference, sum of BLEU, judged, judged right.

    Args:
        answered: Samples and what was said.
        manifest: For the names in reference answers.
        judged: Verdicts of one judge by key of the record; one that could not be read (None) counts as wrong.
    """
    scenes: dict[str, list[float]] = {}
    for sample, record in answered:
        assert isinstance(sample, OpenSample)
        reference, verdicts = manifest.in_words(sample.answer), judged or {}
        contained = bool(named(record.text, [reference.rstrip(".")]))
        bleu = character_bleu(record.text, reference)
        row = [1, contained, bleu, record.key in verdicts, bool(verdicts.get(record.key))]
        scenes[sample.scene] = [a + b for a, b in zip(scenes.get(sample.scene, [0.0] * 5), row, strict=True)]
    return np.array(list(scenes.values()), dtype=float).reshape(len(scenes), 5)


def scores(total: np.ndarray) -> dict[str, float]:
    """Score a tally summed over scenes."""
    answers, contained, bleu, judged, right = total
    return {
        "contains_answer": ratio(contained, answers),
        "character_bleu": ratio(bleu, answers),
        "judged_right": ratio(right, judged),
    }


def character_bleu(candidate: str, reference: str) -> float:
    """BLEU over characters with weights BLEU_WEIGHTS, brevity penalty included."""
    if not candidate or not reference:
        return 0.0
    precisions = [_precision(candidate, reference, length) for length in range(1, len(BLEU_WEIGHTS) + 1)]
    if precisions[0] == 0:
        return 0.0
    brevity = min(0.0, 1 - len(reference) / len(candidate))
    logs = sum(weight * math.log(p) for weight, p in zip(BLEU_WEIGHTS, precisions, strict=True))
    return math.exp(brevity + logs)


def _precision(candidate: str, reference: str, length: int) -> float:
    ours, theirs = _grams(candidate, length), _grams(reference, length)
    total, overlap = max(1, ours.total()), (ours & theirs).total()
    if length == 1:
        return overlap / total
    return (overlap or BLEU_EPSILON) / total


def _grams(text: str, length: int) -> Counter[str]:
    return Counter(text[start : start + length] for start in range(len(text) - length + 1))
