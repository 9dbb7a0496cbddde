"""Recognise concepts in photos without a language model: the ceiling of comparing features, and a floor."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from architecture import build_tower, tower_features
from exam import PhotoConcept
from matching import Compare, See, late, pooled, seen
from numpy.typing import NDArray
from PIL import Image
from scores import Decision, best_threshold, report
from torch import Tensor

BINS = 8
FEATURES_SIDE = 224  # what Lite0 was trained with


@dataclass(frozen=True)
class Encoded:
    """A set of concepts as visual tokens [picture token width]: of each its references and its test photos."""

    concepts: Sequence[PhotoConcept]
    references: Sequence[Tensor]
    tests: Sequence[Tensor]


def encoded(see: See, concepts: Sequence[PhotoConcept], side: int, references: int = 1) -> Encoded:
    """Encode a set of concepts, so many references of each."""
    known = [seen(see, [Image.open(path) for path in concept.references[:references]], side) for concept in concepts]
    return Encoded(concepts, known, [seen(see, [Image.open(path) for path in c.tests], side) for c in concepts])


def compared(known: Encoded, compare: Compare, through: See | None = None) -> list[Decision]:
    """Compare every test photo of a set with every concept of it; of several references the likest counts.

    `through`: what the tokens go through first.
    """
    see = through or (lambda tokens: tokens)
    references, made = [see(tokens) for tokens in known.references], []
    for shown, pictures in zip(known.concepts, known.tests, strict=True):
        likeness = torch.stack([compare(tokens, see(pictures)).amax(0) for tokens in references], 1)
        for path, row in zip(shown.tests, likeness.tolist(), strict=True):
            pairs = zip(known.concepts, row, strict=True)
            made += [Decision(c is shown, s, c.group == shown.group, str(path)) for c, s in pairs]
    return made


def examine_baselines(tests: dict[str, list[PhotoConcept]]) -> dict[str, object]:
    """Tabulate what ImageNet's features alone can do, and colours; thresholds are the best on the same answers."""
    tower = build_tower(FEATURES_SIDE)

    @torch.no_grad()
    def see(pixels: Tensor) -> Tensor:
        return tower_features(tower, pixels)

    tables: dict[str, object] = {}
    for name, concepts in tests.items():
        ways = {
            f"EfficientNet-Lite0, {compare.__name__}, {references} reference(s)": compared(
                encoded(see, concepts, FEATURES_SIDE, references), compare
            )
            for compare in (pooled, late)
            for references in (1, 3)
        }
        ways["colour histogram"] = by_histogram(concepts)
        tables[name] = {way: report(made, best_threshold(made)) for way, made in ways.items()}
    return tables


def by_histogram(concepts: Sequence[PhotoConcept]) -> list[Decision]:
    """Compare colour histograms by their overlap."""
    known = [_histogram(Image.open(concept.reference)) for concept in concepts]
    made = []
    for shown in concepts:
        for path in shown.tests:
            told = _histogram(Image.open(path))
            made += [
                Decision(c is shown, float(np.minimum(own, told).sum()), c.group == shown.group, str(path))
                for c, own in zip(concepts, known, strict=True)
            ]
    return made


def _histogram(picture: Image.Image) -> NDArray[np.float64]:
    hsv = cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2HSV).reshape(-1, 3)
    counts, _ = np.histogramdd(hsv, bins=(BINS, 4, 4), range=((0, 180), (0, 256), (0, 256)))
    return counts / counts.sum()
