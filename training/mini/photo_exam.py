"""Examine the model on real photos: recognition, nouns, attention of keywords against masks, areas."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from exam import PhotoConcept
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import spearmanr
from scores import Decision, report
from sources import Asset

from ego import Concept, Ego, EgoConfig
from ego.answer import mentions
from ego.backbones.base import Backbone
from ego.describe import describe
from ego.keywords import find_keywords
from ego.memory_size import parse_area

REPEATS = 500
Asked = Callable[[Image.Image], dict[str, float]]  # probability of every concept of a set, by name


def decisions(concepts: Sequence[PhotoConcept], asked: Asked) -> list[Decision]:
    """Ask about every test photo of a set and every concept of the set."""
    made = []
    for shown in concepts:
        for path in shown.tests:
            found = asked(Image.open(path).convert("RGB"))
            made += [Decision(c is shown, found[c.name], c.group == shown.group, str(path)) for c in concepts]
    return made


def one_at_a_time(backbone: Backbone, concepts: Sequence[PhotoConcept], references: int, selector: str) -> Asked:
    """Ask with one concept in memory, introduced by so many photos."""
    personal = introduced(backbone, concepts, references, selector)
    names = [concept.name for concept in concepts]
    return lambda picture: {name: personal.recognize(picture, [name])[name].probability for name in names}


def all_together(backbone: Backbone, concepts: Sequence[PhotoConcept], references: int) -> Asked:
    """Ask the library's default way, with all concepts remembered."""
    personal = introduced(backbone, concepts, references, "attention")
    return lambda picture: {name: seen.probability for name, seen in personal.recognize(picture).items()}


def introduced(backbone: Backbone, concepts: Sequence[PhotoConcept], references: int, selector: str) -> Ego:
    """Introduce a set of concepts."""
    personal = Ego(backbone, config=EgoConfig(selector=selector))
    for concept in concepts:
        personal.introduce(Concept(concept.name, list(concept.references[:references])))
    return personal


def examine_photos(backbone: Backbone, tests: dict[str, list[PhotoConcept]]) -> dict[str, dict[str, object]]:
    """Tabulate recognition, one concept in memory and all of them, at the model's own threshold of 0.5."""
    every = [concept for concepts in tests.values() for concept in concepts]
    tables: dict[str, dict[str, object]] = {}
    for name, concepts in tests.items():
        tables[name] = {
            f"{told}, {references} reference(s)": report(
                decisions(concepts, one_at_a_time(backbone, concepts, references, selector)), 0.5
            )
            for told, selector, references in (
                ("attention", "attention", 1),
                ("attention", "attention", 3),
                ("whole image", "all", 1),
            )
        }
    if len(tests) > 1:
        tables["together"] = {
            f"{len(every)} concepts, {references} reference(s)": report(
                decisions(every, all_together(backbone, every, references)), 0.5
            )
            for references in (1, 3)
        }
    return tables


def examine_nouns(backbone: Backbone, photos: Sequence[tuple[NDArray[np.uint8], str]]) -> dict[str, object]:
    """Tell how often a description names what the photo shows."""
    config = EgoConfig()
    right = []
    for pixels, noun in photos:
        said = describe(backbone, Image.fromarray(pixels), config, layers=tuple(backbone.card.attention_layers))
        right.append(mentions(said.words.text, noun))
    return {"photos": len(right), "noun_right": round(float(np.mean(right)), 3), "interval": _interval(right)}


def examine_attention(backbone: Backbone, photos: Sequence[Asset]) -> dict[str, object]:
    """Compare by layer the importance that falls on the subject with the share it covers; and the area answers."""
    layers = tuple(backbone.card.attention_layers)
    ratios, areas, nouns = [], [], []
    for photo in photos:
        said = describe(backbone, Image.fromarray(photo.pixels[..., :3]), EgoConfig(), layers=layers)
        nouns.append(mentions(said.words.text, photo.noun))
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
            str(layer): (round(float(value), 2), _interval([ratio[place] for ratio in ratios]))
            for place, (layer, value) in enumerate(zip(layers, by_layer, strict=True))
        },
        "area_spearman": round(_correlation(answered), 3),
        "area_spearman_interval": _interval(answered, _correlation),
        "area_answered": len(answered),
        "noun_right": round(float(np.mean(nouns)), 3),
        "noun_right_interval": _interval(nouns),
    }


def _correlation(pairs: NDArray[np.float64]) -> float:
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


def _interval(values: object, score: Callable[[NDArray[np.float64]], float] | None = None) -> tuple[float, float]:
    """Resample photos with replacement; give the bounds of the middle 95 %."""
    array, rng = np.asarray(values, float), np.random.default_rng(0)
    drawn = [(score or np.mean)(array[rng.integers(len(array), size=len(array))]) for _ in range(REPEATS)]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return round(float(low), 3), round(float(high), 3)
