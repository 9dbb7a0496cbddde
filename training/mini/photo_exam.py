"""Examine the model on real photos: recognition beside simple baselines, attention of keywords against masks, areas."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from exam import PhotoConcept
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr
from scores import Decision, best_threshold, report
from sources import Asset
from torch.nn import functional

from ego import Concept, Ego, EgoConfig
from ego.backbones.base import Backbone
from ego.describe import describe
from ego.keywords import find_keywords
from ego.memory_size import parse_area

BINS = 8
Scores = Callable[[Image.Image], dict[str, float]]  # of every concept of a set, by name


def decisions(concepts: Sequence[PhotoConcept], scores: Scores) -> list[Decision]:
    """Ask about every test photo of a set and every concept of the set."""
    made = []
    for shown in concepts:
        for path in shown.tests:
            picture = Image.open(path).convert("RGB")
            found = scores(picture)
            made += [Decision(c is shown, found[c.name], c.group == shown.group) for c in concepts]
    return made


def model_score(backbone: Backbone, concepts: Sequence[PhotoConcept], selector: str) -> Scores:
    """Score by the model: the probability of yes, one concept in memory at a time."""
    personal = Ego(backbone, config=EgoConfig(selector=selector))
    for concept in concepts:
        personal.introduce(Concept(concept.name, [concept.reference]))
    names = [concept.name for concept in concepts]
    return lambda picture: {name: personal.recognize(picture, [name])[name].probability for name in names}


def histogram_score(concepts: Sequence[PhotoConcept]) -> Scores:
    """Score by the overlap of colour histograms."""
    references = {concept.name: _histogram(Image.open(concept.reference).convert("RGB")) for concept in concepts}

    def scores(picture: Image.Image) -> dict[str, float]:
        seen = _histogram(picture)
        return {name: float(np.minimum(known, seen).sum()) for name, known in references.items()}

    return scores


def _histogram(picture: Image.Image) -> NDArray[np.float64]:
    hsv = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2HSV).reshape(-1, 3)
    counts, _ = np.histogramdd(hsv, bins=(BINS, 4, 4), range=((0, 180), (0, 256), (0, 256)))
    return counts / counts.sum()


def token_score(backbone: Backbone, concepts: Sequence[PhotoConcept]) -> Scores:
    """Score by the cosine of mean visual tokens."""
    references = {c.name: _mean_token(backbone, Image.open(c.reference).convert("RGB")) for c in concepts}

    def scores(picture: Image.Image) -> dict[str, float]:
        seen = _mean_token(backbone, picture)
        return {name: float(functional.cosine_similarity(known, seen, dim=0)) for name, known in references.items()}

    return scores


def _mean_token(backbone: Backbone, picture: Image.Image) -> torch.Tensor:
    return backbone.encode_image(picture).rows.float().mean(0)


def examine_photos(
    backbone: Backbone, validation: Sequence[PhotoConcept], tests: dict[str, list[PhotoConcept]]
) -> dict[str, dict[str, object]]:
    """Tabulate every method on every test set; thresholds of scores come from the validation concepts."""
    methods: dict[str, Callable[[Sequence[PhotoConcept]], Scores]] = {
        "mini, full reference": lambda concepts: model_score(backbone, concepts, "all"),
        "mini, attention selection": lambda concepts: model_score(backbone, concepts, "attention"),
        "colour histogram": histogram_score,
        "mean token cosine": lambda concepts: token_score(backbone, concepts),
        "always yes": lambda concepts: lambda picture: dict.fromkeys((c.name for c in concepts), 1.0),
    }
    tables: dict[str, dict[str, object]] = {name: {} for name in tests}
    for method, build in methods.items():
        tuned = best_threshold(decisions(validation, build(validation)))
        for name, concepts in tests.items():
            made = decisions(concepts, build(concepts))
            if method.startswith("mini"):
                tables[name][f"{method}, threshold 0.5"] = report(made, 0.5)
            tables[name][f"{method}, threshold from validation"] = report(made, tuned)
    return tables


def examine_attention(backbone: Backbone, photos: Sequence[Asset]) -> dict[str, object]:
    """Compare by layer the importance that falls on the subject with the share it covers; and the area answers."""
    layers = tuple(backbone.card.attention_layers)
    ratios, areas = [], []
    for photo in photos:
        said = describe(backbone, Image.fromarray(photo.pixels[..., :3]), EgoConfig(), layers=layers)
        mask = cv2.resize(
            (photo.pixels[..., 3] > 127).astype(np.float32), said.tokens.grid or (12, 12), interpolation=cv2.INTER_AREA
        ).reshape(-1)
        keywords = find_keywords(said.words.text, said.words.spans)
        if said.words.attention is None or not keywords.positions:
            continue
        weights = said.words.attention[:, :, list(keywords.positions)].float().mean((1, 2)).cpu().numpy()
        ratios.append((weights @ mask) / weights.sum(1) / mask.mean())
        percent = parse_area(said.area.text) if said.area else None
        areas.append((np.nan if percent is None else percent, 100 * mask.mean()))
    by_layer = np.mean(ratios, 0)
    told = np.array(areas)
    answered = told[~np.isnan(told[:, 0])]
    return {
        "photos": len(ratios),
        "importance_over_area_by_layer": {
            str(layer): round(float(value), 2) for layer, value in zip(layers, by_layer, strict=True)
        },
        "area_spearman": round(float(spearmanr(answered[:, 0], answered[:, 1]).statistic), 3),
        "area_answered": len(answered),
    }
