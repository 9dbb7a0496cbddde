"""Run a calibration: observe every image once (resumable), select layers, compare on held-out images, draw.

One `.npz` per image lies in the output folder; an interrupted run continues with the images that are missing.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ego.atomic_file import make_folder
from ego.backbones.base import Backbone
from ego.calibration import LayerSelection, Observation, chosen, observe, overlap_of_layers, select_layers
from ego.config import EgoConfig
from ego.errors import SelectionError
from ego.evaluation.datasets.coco import MaskedImage
from ego.evaluation.metrics.bootstrap import Estimate, differences, estimates
from ego.layers import depth_band_layers

FEWEST_IMAGES = 30  # behind a choice of layers: precision at K then has a standard error of about 0.05


@dataclass(frozen=True)
class Comparison:
    """Overlap of one choice of layers on held-out images, and how far calibrated layers are ahead of it.

    Attributes:
        layers: Which layers.
        precision: Precision at K.
        iou: Intersection over union.
        lead: Precision of the calibrated layers minus this one, on the same images (paired resampling).
    """

    layers: tuple[int, ...]
    precision: Estimate
    iou: Estimate
    lead: Estimate


def observe_all(
    backbone: Backbone,
    images: Sequence[MaskedImage],
    folder: Path,
    config: EgoConfig,
    *,
    heads: bool = False,
    on_image: Callable[[MaskedImage], None] = lambda image: None,
) -> list[Observation]:
    """Observe images, or read what an earlier run of the same model observed; speechless images are left out.

    Args:
        backbone: The model.
        images: Images with masks.
        folder: Where observations are kept, by fingerprint.
        config: Numbers of the method.
        heads: Keep every head apart, for the ranking of heads.
        on_image: Called after each image (progress).
    """
    kind = "heads" if heads else "layers"
    place = folder / "observations" / f"{backbone.fingerprint.weights[:16]}-{kind}"
    make_folder(place)
    seen_with = f"{backbone.fingerprint.processor} {backbone.card.decoder} {config.model_dump_json()}"
    observations = []
    for image in images:
        path = place / f"{image.name}-{_digest(image, seen_with)}.npz"
        if not path.exists():
            _observe_one(backbone, image, path, config, heads=heads)
        observations += _load(path, image.name)
        on_image(image)
    return observations


def _digest(image: MaskedImage, seen_with: str) -> str:
    """Tell observations apart that another mask, another file or other settings would change."""
    what = f"{image.path} {seen_with} ".encode() + np.packbits(image.mask).tobytes()
    return hashlib.sha256(what).hexdigest()[:12]


def split(observations: Sequence[Observation], held_out: float) -> tuple[list[Observation], list[Observation]]:
    """Divide observations into those that choose the layers and those that test the choice (every n-th)."""
    if held_out <= 0:
        return list(observations), []
    step = max(2, round(1 / held_out))
    testing = [one for place, one in enumerate(observations) if place % step == step - 1]
    return [one for place, one in enumerate(observations) if place % step != step - 1], testing


def calibrate(
    backbone: Backbone, observations: Sequence[Observation], config: EgoConfig, *, keep: int | None = None
) -> LayerSelection:
    """Select the layers of a model."""
    card = backbone.card
    return select_layers(
        observations,
        backbone.fingerprint,
        card.attention_layers,
        decoder=card.decoder,
        budget=config.budget,
        keep=keep,
    )


def compare(
    backbone: Backbone, selection: LayerSelection, held_out: Sequence[Observation], config: EgoConfig
) -> dict[str, Comparison]:
    """Measure calibrated layers, depth band, and all layers on images that did not choose the layers."""
    layers = backbone.card.attention_layers
    choices = {
        "calibrated": selection.layers,
        "depth band": depth_band_layers(layers, backbone.card.layer_count, config.depth_band),
        "all layers": layers,
    }
    usable = [one for one in held_out if one.on_object.any()]
    if not usable:
        return {}
    tallies = {name: _tally(usable, wanted, layers, config) for name, wanted in choices.items()}
    return {name: _comparison(choices[name], one, tallies["calibrated"]) for name, one in tallies.items()}


def draw(selection: LayerSelection, path: Path) -> None:
    """Plot overlap by layer."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (only calibration plots need it)

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    scores = sorted(selection.scores, key=lambda score: score.layer)
    layers = [score.layer for score in scores]
    axes.plot(layers, [score.precision for score in scores], marker="o", label="precision at K")
    axes.plot(layers, [score.iou for score in scores], marker=".", label="IoU")
    axes.axhline(selection.object_share, linestyle=":", color="grey", label="tokens at random")
    for layer in selection.layers:
        axes.axvspan(layer - 0.5, layer + 0.5, alpha=0.15, color="tab:green")
    axes.set(xlabel="decoder layer (from 0)", ylabel="overlap with the mask", title=selection.fingerprint.model_id)
    axes.legend()
    figure.savefig(path)


def draw_overlays(
    images: Sequence[MaskedImage],
    observations: Sequence[Observation],
    selection: LayerSelection,
    attention_layers: Sequence[int],
    path: Path,
    *,
    budget: float,
) -> None:
    """Draw the chosen tokens of the best (above) and worst layer (below) on the images."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    pictures = {image.name: image for image in images}
    figure = Figure(figsize=(3 * len(observations), 6), layout="constrained")
    grid = figure.subplots(2, len(observations), squeeze=False)
    for row, score in enumerate((selection.scores[0], selection.scores[-1])):
        place = list(attention_layers).index(score.layer)
        for axes, seen in zip(grid[row], observations, strict=True):
            kept = chosen(seen, seen.importance[place].mean(0), budget=budget)
            _draw_tokens(axes, pictures[seen.image], seen.boxes[kept])
            axes.set_title(f"layer {score.layer}", fontsize=9)
    figure.savefig(path)


def _draw_tokens(axes: object, image: MaskedImage, boxes: torch.Tensor) -> None:
    from matplotlib.axes import Axes  # noqa: PLC0415
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    assert isinstance(axes, Axes)
    width, height = image.picture.size
    axes.imshow(image.picture)
    axes.contour(image.mask, levels=[0.5], colors="white", linewidths=0.8)
    for left, top, right, bottom in (boxes * torch.tensor([width, height, width, height])).tolist():
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, alpha=0.45, color="tab:orange"))
    axes.set_axis_off()


def _observe_one(backbone: Backbone, image: MaskedImage, path: Path, config: EgoConfig, *, heads: bool) -> None:
    """Write one observation; an image whose description holds no word leaves an empty one."""
    try:
        seen = observe(backbone, image.name, image.picture, image.mask, config)
    except SelectionError:
        _write(path, description="")
        return
    importance = seen.importance if heads else seen.importance.mean(1, keepdim=True)
    _write(
        path,
        description=seen.description,
        importance=importance.half().numpy(),
        on_object=seen.on_object.numpy(),
        spatial=seen.spatial.numpy(),
        boxes=seen.boxes.numpy(),
    )


def _write(path: Path, **arrays: Any) -> None:
    with path.with_suffix(".part").open("wb") as file:
        np.savez_compressed(file, **arrays)
    path.with_suffix(".part").rename(path)


def _load(path: Path, name: str) -> list[Observation]:
    with np.load(path) as arrays:
        if "importance" not in arrays:
            return []
        tensors = {key: torch.from_numpy(arrays[key]) for key in ("importance", "on_object", "spatial", "boxes")}
        tensors["importance"] = tensors["importance"].float()
        return [Observation(image=name, description=str(arrays["description"]), **tensors)]


def _tally(
    usable: Sequence[Observation], wanted: Sequence[int], layers: Sequence[int], config: EgoConfig
) -> np.ndarray:
    places = [list(layers).index(layer) for layer in wanted]
    measured = overlap_of_layers(usable, places, budget=config.budget)
    return np.array([[1, one.precision, one.iou] for one in measured])


def _means(total: np.ndarray) -> dict[str, float]:
    return {"precision": total[1] / total[0], "iou": total[2] / total[0]}


def _comparison(wanted: Sequence[int], tally: np.ndarray, calibrated: np.ndarray) -> Comparison:
    means, lead = estimates(tally, _means), differences(calibrated, tally, _means)
    return Comparison(tuple(wanted), means["precision"], means["iou"], lead["precision"])
