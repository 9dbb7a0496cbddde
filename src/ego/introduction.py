"""One reference image -> its kept tokens and the record of how they were chosen (paper 3.1, steps 1 to 6 in order)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from ego.attention import token_importance
from ego.backbones.base import Backbone
from ego.concept import Region
from ego.config import EgoConfig
from ego.describe import Description, ask_area, describe, describe_all
from ego.errors import InputError, SelectionError
from ego.keywords import Keywords, find_keywords
from ego.memory import ViewRecord
from ego.memory_size import MemorySize, memory_size, parse_area
from ego.regions import OBJECT_COVERAGE, region_mask, token_coverage
from ego.selection import all_tokens, random_tokens, top_tokens, uniform_tokens
from ego.visual_tokens import VisualTokens

NO_KEYWORDS = Keywords((), ())
AT_ONCE = 8  # pictures described together


@dataclass(frozen=True, eq=False)
class Reference:
    """A reference image and what the user said about it.

    Attributes:
        image: Upright RGB image.
        digest: sha256 of its pixels.
        keywords: Words that replace the model's description; empty: the model describes.
        region: Where the subject is, in pixels of the picture as displayed; replaces description and area question.
        displayed_size: Width and height as displayed, where a very large photo was made smaller; else None.
        orientation: How the file stores it, as EXIF counts; a mask of the stored pixels is turned with it.
    """

    image: Image.Image
    digest: str
    keywords: str = ""
    region: Region | None = None
    displayed_size: tuple[int, int] | None = None
    orientation: int = 1


@dataclass(frozen=True, eq=False)
class View:
    """The memory that one reference image gives."""

    tokens: VisualTokens
    record: ViewRecord


@dataclass(frozen=True, eq=False)
class _Scored:
    """Every token of a reference with its importance, and what it rests on."""

    tokens: VisualTokens
    importance: Float[Tensor, " visual"]
    size: MemorySize
    keywords: Keywords = NO_KEYWORDS
    description: str = ""
    description_by: str = "region"
    area_answer: str = ""
    area_percent: float | None = None


def introduce_view(backbone: Backbone, reference: Reference, config: EgoConfig, layers: tuple[int, ...]) -> View:
    """Choose the tokens of one reference image."""
    started = time.perf_counter()
    scored = _score(backbone, reference, config, layers)
    return _view(scored, reference, config, layers, started)


def introduce_views(
    backbone: Backbone, references: Sequence[Reference], config: EgoConfig, layers: tuple[int, ...]
) -> tuple[View, ...]:
    """Choose the tokens of several reference images; those that the model is to describe go through it together."""
    described = [number for number, one in enumerate(references) if _is_described(one, config) and not one.keywords]
    views: dict[int, View] = {}
    for first in range(0, len(described), AT_ONCE):
        some = described[first : first + AT_ONCE]
        started = time.perf_counter()
        said = describe_all(backbone, [references[number].image for number in some], config, layers=layers)
        share = (time.perf_counter() - started) * (1 - 1 / len(some))  # what the others took
        for number, one in zip(some, said, strict=True):
            scored = _score_as_said(one, references[number], config)
            views[number] = _view(scored, references[number], config, layers, started + share)
    return tuple(
        views[number] if number in views else introduce_view(backbone, reference, config, layers)
        for number, reference in enumerate(references)
    )


def _view(scored: _Scored, reference: Reference, config: EgoConfig, layers: tuple[int, ...], started: float) -> View:
    kept = _select(scored, config, reference.digest)
    record = _record(reference, scored, kept, layers, config, seconds=time.perf_counter() - started)
    return View(scored.tokens.select(kept), record)


def _is_described(reference: Reference, config: EgoConfig) -> bool:
    words_count = config.selector == "attention" or config.always_describe or bool(reference.keywords)
    return reference.region is None and words_count


def _score(backbone: Backbone, reference: Reference, config: EgoConfig, layers: tuple[int, ...]) -> _Scored:
    if reference.region is not None:
        return _score_by_region(backbone, reference, reference.region, config)
    if _is_described(reference, config):
        said = describe(backbone, reference.image, config, layers=layers, keywords=reference.keywords)
        return _score_as_said(said, reference, config)
    return _score_without_words(backbone, reference.image, config)


def _score_as_said(said: Description, reference: Reference, config: EgoConfig) -> _Scored:
    keywords = find_keywords(said.words.text, said.words.spans, drop_stop_words=config.drop_stop_words)
    area_answer = said.area.text if said.area else ""
    area_percent = parse_area(area_answer)
    return _Scored(
        tokens=said.tokens,
        importance=_importance(said, keywords, config),
        size=_size(said.tokens, area_percent, config, dynamic=config.dynamic_size),
        keywords=keywords,
        description=said.words.text,
        description_by="user" if reference.keywords else "model",
        area_answer=area_answer,
        area_percent=area_percent,
    )


def _score_without_words(backbone: Backbone, image: Image.Image, config: EgoConfig) -> _Scored:
    """Ask only what the selection needs: how large the subject is, unless everything is kept."""
    tokens = backbone.encode_image(image)
    sized = config.dynamic_size and config.selector != "all"
    answer = ask_area(backbone, tokens, config).text if sized else ""
    percent = parse_area(answer)
    size = _size(tokens, percent, config, dynamic=sized)
    nowhere = torch.zeros(len(tokens))
    return _Scored(tokens, nowhere, size, description_by="none", area_answer=answer, area_percent=percent)


def _score_by_region(backbone: Backbone, reference: Reference, region: Region, config: EgoConfig) -> _Scored:
    kept = reference.image.size
    mask = region_mask(region, reference.displayed_size or kept, orientation=reference.orientation, kept=kept)
    tokens = backbone.encode_image(reference.image)
    if tokens.boxes is None:
        raise InputError(f"{backbone.card.model_id} has no known token geometry; give keywords instead of a region")
    coverage = token_coverage(tokens.boxes, mask)
    inside = 100 * float((coverage[tokens.covering.cpu()] >= OBJECT_COVERAGE).float().mean())
    share = float(100 * mask.mean())
    return _Scored(tokens, coverage, size=_size(tokens, inside, config, dynamic=True), area_percent=share)


def _importance(said: Description, keywords: Keywords, config: EgoConfig) -> Float[Tensor, " visual"]:
    if config.selector != "attention":
        return torch.zeros(len(said.tokens))
    if said.words.attention is None:
        raise SelectionError("the model said nothing about the image; give keywords or a region for this concept")
    rows = said.words.attention[:, :, torch.tensor(keywords.positions, dtype=torch.long)]
    return token_importance(rows, reduction=config.reduction, normalize=config.normalize)


def _size(tokens: VisualTokens, area_percent: float | None, config: EgoConfig, *, dynamic: bool) -> MemorySize:
    return memory_size(
        int(tokens.covering.sum()),
        budget=config.budget,
        area_percent=area_percent,
        dynamic=dynamic,
        minimum=config.min_tokens,
    )


def _select(scored: _Scored, config: EgoConfig, digest: str) -> Int[Tensor, " kept"]:
    if config.selector == "all":
        return all_tokens(scored.tokens.spatial)
    return scored.tokens.in_raster_order(_chosen(scored, config, digest))


def _chosen(scored: _Scored, config: EgoConfig, digest: str) -> Int[Tensor, " kept"]:
    candidates, count = scored.tokens.covering, scored.size.count
    if config.selector == "uniform":
        return uniform_tokens(count, candidates)
    if config.selector == "random":
        return random_tokens(count, candidates, seed=config.seed ^ int(digest[:8], 16))
    if scored.description_by == "region":  # spread over the region: coverage alone would fill it from the top
        inside = candidates.cpu() & (scored.importance >= OBJECT_COVERAGE)
        if int(inside.sum()) > count:
            return uniform_tokens(count, inside)
    return top_tokens(scored.importance, count, candidates)


def _record(
    reference: Reference, scored: _Scored, kept: Tensor, layers: tuple[int, ...], config: EgoConfig, *, seconds: float
) -> ViewRecord:
    boxes = scored.tokens.boxes
    return ViewRecord(
        image=reference.digest,
        size=reference.image.size,
        description=scored.description,
        description_by=scored.description_by,
        keywords=scored.keywords.words,
        keyword_positions=scored.keywords.positions,
        area_answer=scored.area_answer,
        area_percent=scored.area_percent,
        size_rule=scored.size.rule if config.selector != "all" else "the whole image",
        selector=config.selector,
        candidates=len(scored.tokens),
        kept=tuple(kept.tolist()),
        boxes=() if boxes is None else tuple(tuple(box) for box in boxes.tolist()),
        importance=tuple(scored.importance.tolist()),
        layers=layers if config.selector == "attention" and scored.description_by != "region" else (),
        seconds=seconds,
    )
