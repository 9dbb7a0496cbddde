"""Images with masks -> ranked decoder layers -> LayerSelection, saved for the model it belongs to (paper 3.2).

The model describes the foreground object. For each layer, the K tokens that its description attends to most are held
against the mask (K = number of tokens on the object, capped by the budget). Layers are ranked by the mean precision
at K; intersection over union is reported beside it.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from ego.backbones.base import Backbone
from ego.config import EgoConfig
from ego.describe import describe
from ego.errors import BackboneError, ConfigError, SelectionError
from ego.keywords import find_keywords
from ego.memory import Fingerprint
from ego.own_layers import own_file, undo, write_keeping_what_was
from ego.regions import OBJECT_COVERAGE, token_coverage
from ego.selection import top_tokens

log = logging.getLogger(__name__)

KEPT_LAYERS = 5  # paper: 5 of 48 layers of InternVL3-14B
KEPT_SHARE = 1 / 3  # of the layers of a small model. Gap: ours.
KEPT_HEADS = 20
# Published for InternVL3-14B; whether layers were counted from 0 or 1 is not said. Read as counted from 0.
PUBLISHED = {"opengvlab/internvl3-14b-hf": (29, 30, 35, 36, 39), "opengvlab/internvl3-14b": (29, 30, 35, 36, 39)}
FILE_NAME = "layers.json"
SHIPPED = Path(__file__).parent / "backbones" / "mini" / FILE_NAME


@dataclass(frozen=True, eq=False)
class Observation:
    """Where the description of one image looked, and where the object is.

    Attributes:
        image: Name of the image.
        description: What the model said.
        importance: Mean attention of the keywords, by layer and head (one "head", the mean, unless heads are wanted).
        on_object: Tokens whose box the mask covers at least half.
        spatial: Tokens that show every place once.
        boxes: Boxes of the tokens, fractions x0 y0 x1 y1.
    """

    image: str
    description: str
    importance: Float[Tensor, "layer head visual"]
    on_object: Bool[Tensor, " visual"]
    spatial: Bool[Tensor, " visual"]
    boxes: Float[Tensor, "visual 4"]


@dataclass(frozen=True)
class Overlap:
    """How well the chosen tokens lie on the object."""

    precision: float
    iou: float


class LayerScore(BaseModel):
    """Mean overlap of one layer, or of one head of it."""

    model_config = ConfigDict(frozen=True)

    layer: int
    head: int | None = None
    precision: float
    iou: float


class LayerSelection(BaseModel):
    """The layers to read for one model.

    Attributes:
        fingerprint: The model.
        decoder: Digest of its language model.
        layers: Chosen layers, ascending, counted from 0.
        scores: All layers, best first.
        heads: The best single heads, best first, if they were ranked.
        object_share: Mean share of tokens on the object: the precision of choosing at random.
        images: Number of images behind the ranking.
        source: Where the selection comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    fingerprint: Fingerprint
    decoder: str
    layers: tuple[int, ...]
    scores: tuple[LayerScore, ...]
    heads: tuple[LayerScore, ...] = ()
    object_share: float
    images: int
    source: str = "ego calibrate"

    def save(self, path: Path | None = None) -> Path:
        """Write the selection, by default to where `saved_layers` finds it; the one before it can be brought back.

        Raises:
            ConfigError: If the file cannot be written.
        """
        path = path or own_file(self.fingerprint, self.decoder)
        write_keeping_what_was(path, (self.model_dump_json(indent=1) + "\n").encode())
        saved_layers.cache_clear()
        return path


def observe(
    backbone: Backbone, name: str, image: Image.Image, mask: Bool[np.ndarray, "height width"], config: EgoConfig
) -> Observation:
    """Let the model describe an image and note where its words look, head by head.

    Raises:
        BackboneError: If the places of the model's visual tokens are unknown.
        SelectionError: If the description holds no word.
    """
    layers = backbone.card.attention_layers
    said = describe(backbone, image, config.model_copy(update={"dynamic_size": False}), layers=layers)
    if said.tokens.boxes is None or said.words.attention is None:
        raise BackboneError(f"{backbone.card.model_id} has no known token geometry, so masks cannot be compared")
    keywords = find_keywords(said.words.text, said.words.spans, drop_stop_words=config.drop_stop_words)
    if not keywords.positions:
        raise SelectionError(f"the description of {name} holds no word: {said.words.text!r}")
    rows = said.words.attention[:, :, list(keywords.positions)]
    spatial, boxes = said.tokens.covering.cpu(), said.tokens.boxes.cpu()
    covered = token_coverage(boxes, mask).cpu() >= OBJECT_COVERAGE
    return Observation(name, said.words.text, rows.mean(2).cpu(), covered & spatial, spatial, boxes)


def overlap(
    observation: Observation, importance: Float[Tensor, " visual"], *, budget: float, minimum: int = 1
) -> Overlap:
    """Hold the most important tokens against the object.

    Args:
        observation: For the object.
        importance: One score per token.
        budget: Cap of K as a share of the tokens that have a place.
        minimum: Least K.
    """
    kept = chosen(observation, importance, budget=budget, minimum=minimum)
    hits = int(observation.on_object[kept].sum())
    union = int(observation.on_object.sum()) + len(kept) - hits
    return Overlap(hits / len(kept), hits / union)


def chosen(
    observation: Observation, importance: Float[Tensor, " visual"], *, budget: float, minimum: int = 1
) -> Tensor:
    """Choose the K most important tokens, K = tokens on the object, within the budget."""
    cap = max(minimum, round(budget * int(observation.spatial.sum())))
    count = max(minimum, min(cap, int(observation.on_object.sum())))
    return top_tokens(importance, count, observation.spatial)


def overlap_of_layers(observations: Iterable[Observation], places: Sequence[int], *, budget: float) -> list[Overlap]:
    """Measure the mean over several layers (indices into `importance`) as the method would use it, per image."""
    return [
        overlap(observation, observation.importance[list(places)].mean((0, 1)), budget=budget)
        for observation in observations
    ]


def select_layers(
    observations: Sequence[Observation],
    fingerprint: Fingerprint,
    attention_layers: Sequence[int],
    *,
    decoder: str,
    budget: float,
    keep: int | None = None,
) -> LayerSelection:
    """Rank layers by mean precision (then IoU) and keep the best; by default 5, of a small model at most a third.

    Images without a token on the object say nothing and are left out.

    Raises:
        ConfigError: If no image is left.
    """
    usable = [observation for observation in observations if observation.on_object.any()]
    if not usable:
        raise ConfigError("no image has a visual token on its object; give images with larger objects")
    scores = _ranked(_layer_scores(usable, attention_layers, budget))
    keep = keep or min(KEPT_LAYERS, max(1, round(KEPT_SHARE * len(attention_layers))))
    shares = [float(observation.on_object[observation.spatial].float().mean()) for observation in usable]
    return LayerSelection(
        fingerprint=fingerprint,
        decoder=decoder,
        layers=tuple(sorted(score.layer for score in scores[:keep])),
        scores=tuple(scores),
        heads=tuple(_ranked(_head_scores(usable, attention_layers, budget))[:KEPT_HEADS]),
        object_share=sum(shares) / len(shares),
        images=len(usable),
    )


@cache
def saved_layers(fingerprint: Fingerprint, decoder: str) -> tuple[int, ...] | None:
    """Find the layers of a model: the user's own, its folder's, the shipped ones, published ones, or None."""
    for path in (own_file(fingerprint, decoder), Path(fingerprint.model_id) / FILE_NAME, SHIPPED):
        selection = _read(path)
        if selection is not None and _is_of(selection, fingerprint, decoder):
            return selection.layers
    return _published(fingerprint)


def forget_layers(fingerprint: Fingerprint, decoder: str) -> tuple[Path, tuple[int, ...] | None]:
    """Undo the last calibration of a model by the user.

    Returns:
        Its file, and the layers of the user's calibration before it, if there was one.

    Raises:
        ConfigError: If there is none.
    """
    path = own_file(fingerprint, decoder)
    undo(path)
    saved_layers.cache_clear()
    selection = _read(path)
    return path, selection.layers if selection else None


def _layer_scores(usable: Sequence[Observation], layers: Sequence[int], budget: float) -> Iterator[LayerScore]:
    for place, layer in enumerate(layers):
        precision, iou = _mean(overlap_of_layers(usable, [place], budget=budget))
        yield LayerScore(layer=layer, precision=precision, iou=iou)


def _head_scores(usable: Sequence[Observation], layers: Sequence[int], budget: float) -> Iterator[LayerScore]:
    heads = usable[0].importance.shape[1]
    for place, layer in enumerate(layers if heads > 1 else ()):
        for head in range(heads):
            measured = [overlap(seen, seen.importance[place, head], budget=budget) for seen in usable]
            precision, iou = _mean(measured)
            yield LayerScore(layer=layer, head=head, precision=precision, iou=iou)


def _mean(measured: Sequence[Overlap]) -> tuple[float, float]:
    count = len(measured)
    return sum(one.precision for one in measured) / count, sum(one.iou for one in measured) / count


def _ranked(scores: Iterable[LayerScore]) -> list[LayerScore]:
    return sorted(scores, key=lambda score: (-score.precision, -score.iou, score.layer))


def _is_of(selection: LayerSelection, fingerprint: Fingerprint, decoder: str) -> bool:
    """Tell whether a selection is of this model; how images are resized does not matter for that."""
    ours = (selection.fingerprint.model_type, selection.fingerprint.weights, selection.decoder)
    return ours == (fingerprint.model_type, fingerprint.weights, decoder)


def _read(path: Path) -> LayerSelection | None:
    if not path.is_file():
        return None
    try:
        return LayerSelection.model_validate_json(path.read_bytes())
    except ValidationError as error:
        log.warning("%s is no layer selection and is not used (%s); remove it or calibrate again", path, error)
        return None


def _published(fingerprint: Fingerprint) -> tuple[int, ...] | None:
    layers = PUBLISHED.get(fingerprint.model_id.lower())  # by the whole name: a folder may be called anything
    if layers is not None:
        log.warning(
            "reading the published layers %s of %s, counted from 0; the paper does not say whether it counts from "
            "0 or 1: run `ego calibrate` to be sure",
            *(layers, fingerprint.model_id),
        )
    return layers
