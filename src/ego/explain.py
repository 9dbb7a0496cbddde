"""The proof that a memory shows the subject: importance over the reference image, kept tokens outlined."""

import numpy as np
from PIL import Image, ImageDraw

from ego.errors import InputError
from ego.memory import ConceptMemory, ViewRecord

LONGEST_SIDE = 768  # pixels of the drawing
_HOT = np.array([255, 64, 0], dtype=float)
_OUTLINE = (255, 255, 255)
_OPACITY = 0.65  # of the most important token


def heatmap(memory: ConceptMemory, reference: Image.Image, *, view: int = 0) -> Image.Image:
    """Draw which tokens of a reference image a memory keeps and how important every token was.

    Args:
        memory: The memory.
        reference: The reference image of that view, upright.
        view: Which reference, counted from 0.

    Raises:
        InputError: If there is no such view, the geometry of the model is unknown, or the picture's shape differs.
    """
    record = _view_of(memory, view, reference)
    picture = reference.convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if max(picture.size) < LONGEST_SIDE // 2:
        picture = picture.resize([side * 2 for side in picture.size], Image.Resampling.LANCZOS)
    tinted = Image.fromarray(_tint(np.asarray(picture, dtype=float), _strengths(record)).astype(np.uint8))
    return _outline_kept(tinted, record)


def _view_of(memory: ConceptMemory, view: int, reference: Image.Image) -> ViewRecord:
    if not 0 <= view < len(memory.views):
        raise InputError(f"{memory.name!r} has {len(memory.views)} views; view {view} is none of them (first is 0)")
    record = memory.views[view]
    if not record.boxes:
        raise InputError(f"{memory.fingerprint.model_id} has no known token geometry; no heat-map can be drawn")
    if record.size != reference.size:
        raise InputError(f"view {view} of {memory.name!r} is of a {record.size} image; this one is {reference.size}")
    return record


def _strengths(record: ViewRecord) -> list[tuple[tuple[float, float, float, float], float]]:
    """Boxes with importance scaled to 0..1; the 98th percentile counts as 1 so that one sink does not hide the rest."""
    scores = np.array(record.importance)
    top = np.percentile(scores, 98) or 1.0
    return list(zip(record.boxes, np.clip(scores / top, 0, 1).tolist(), strict=True))


def _tint(pixels: np.ndarray, strengths: list[tuple[tuple[float, float, float, float], float]]) -> np.ndarray:
    height, width = pixels.shape[:2]
    strength = np.zeros((height, width, 1))
    for box, value in strengths:
        left, top, right, bottom = _in_pixels(box, width, height)
        strength[top:bottom, left:right] = np.maximum(strength[top:bottom, left:right], value)
    grey = pixels.mean(-1, keepdims=True)
    dimmed = 0.5 * pixels + 0.5 * grey
    return np.asarray(dimmed * (1 - _OPACITY * strength) + _HOT * _OPACITY * strength)


def _outline_kept(picture: Image.Image, record: ViewRecord) -> Image.Image:
    draw = ImageDraw.Draw(picture)
    for position in record.kept:
        left, top, right, bottom = _in_pixels(record.boxes[position], *picture.size)
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=_OUTLINE, width=2)
    return picture


def _in_pixels(box: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    return round(left * width), round(top * height), round(right * width), round(bottom * height)
