"""Compose pictures: subjects on backgrounds, augmented without changing who they are, and the truth of every token."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from subjects import Cast, Subject

Pixels = NDArray[np.uint8]
Grid = NDArray[np.float32]


@dataclass(frozen=True)
class Placement:
    """Where a subject stands: centre and longest side, as shares of the picture's side."""

    x: float
    y: float
    extent: float


@dataclass(frozen=True)
class Picture:
    """A rendered picture; of each subject its share of every visual token, and how much of it is visible."""

    pixels: Pixels
    cover: Grid  # subject, row, column
    visible: tuple[float, ...]
    centre: tuple[float, ...]  # horizontal centre of the visible part, 0..1
    measured: bool = True  # whether the first one's cover is known, not guessed (`outlines.py`)


def main_layout(rng: np.random.Generator, number: int) -> list[Placement]:
    """Put one large subject anywhere and the others, small, around it."""
    extent = rng.uniform(0.4, 1.0)
    reach = max(0.02, 0.5 - 0.42 * extent)
    main = Placement(*(0.5 + rng.uniform(-reach, reach, 2)).tolist(), extent)
    return spread(rng, [main], number - 1, (0.2, min(0.4, 0.65 * extent)))


def group_layout(rng: np.random.Generator, number: int) -> list[Placement]:
    """Put several subjects of similar size beside each other."""
    largest = {1: 0.85, 2: 0.55, 3: 0.48}.get(number, 0.42)
    return spread(rng, [], number, (0.62 * largest, largest))


def spread(
    rng: np.random.Generator, placed: list[Placement], number: int, extents: tuple[float, float]
) -> list[Placement]:
    """Add placements, each the least crowded of a few random tries."""
    placements = list(placed)
    for _ in range(number):
        extent = rng.uniform(*extents)
        tries = [Placement(*rng.uniform(0.45 * extent, 1 - 0.45 * extent, 2).tolist(), extent) for _ in range(10)]
        placements.append(max(tries, key=lambda candidate: _room(candidate, placements)))
    return placements


def _room(candidate: Placement, others: Sequence[Placement]) -> float:
    return min(
        (np.hypot(candidate.x - o.x, candidate.y - o.y) - 0.5 * (candidate.extent + o.extent) for o in others),
        default=0.0,
    )


def render(
    rng: np.random.Generator,
    cast: Cast,
    subjects: Sequence[Subject],
    layout: Sequence[Placement],
    *,
    side: int,
    grid: int,
    whole_photo: float = 0.0,
    room: Sequence[int] | None = None,
) -> Picture:
    """Draw the subjects, the first one on top, on a background or (seldom) into the whole photo of the first one.

    `room`: a seed that stands for a place, where the background is another view of the same.
    """
    views = [int(rng.integers(cast.views(subject))) for subject in subjects]
    covers = np.zeros((len(subjects), side, side), np.float32)
    totals = np.ones(len(subjects), np.float32)
    measured = True
    from_photo = bool(subjects) and cast.is_scenic(subjects[0], views[0]) and rng.random() < whole_photo
    if from_photo:
        photo, measured = cast.photo(subjects[0], views[0])
        canvas, covers[0] = _photo_crop(rng, photo, side)
        totals[0] = covers[0].sum()
    else:
        canvas = background(rng, cast, side) if room is None else _another_view(rng, cast, side, room)
    for index in range(len(subjects) - 1, int(from_photo) - 1, -1):
        patch = _warped(rng, cast.cutout(subjects[index], views[index]), layout[index], side)
        totals[index] = _paste(canvas, covers, index, patch)
    if rng.random() < 0.25:
        _occlude(rng, cast, canvas, covers)
    visible = covers.sum((1, 2))
    columns = covers.sum(1) @ np.linspace(0, 1, side, dtype=np.float32) / np.maximum(visible, 1)
    cover = (
        np.stack([cv2.resize(c, (grid, grid), interpolation=cv2.INTER_AREA) for c in covers])
        if len(subjects)
        else np.zeros((0, grid, grid), np.float32)
    )
    shares = tuple((visible / np.maximum(totals, 1)).tolist())
    return Picture(_lighting(rng, canvas), cover, shares, tuple(columns.tolist()), measured)


def background(rng: np.random.Generator, cast: Cast, side: int) -> Pixels:
    """Draw a background: usually a piece of a real photo, else a soft gradient or one colour with noise."""
    draw = rng.random()
    if cast.backdrops and draw < 0.7:
        photo = cast.backdrop(int(rng.integers(len(cast.backdrops))))
        piece = _random_crop(rng, photo, 0.35)
        piece = piece[:, ::-1] if rng.random() < 0.5 else piece
        return cv2.resize(np.ascontiguousarray(piece), (side, side), interpolation=cv2.INTER_AREA)
    cells = 4 if draw < 0.88 else 1
    soft = rng.integers(30, 235, (cells, cells, 3)).astype(np.uint8)
    canvas = cv2.resize(soft, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    return np.clip(canvas + rng.integers(-8, 9, (side, side, 1)), 0, 255).astype(np.uint8)


def _another_view(rng: np.random.Generator, cast: Cast, side: int, room: Sequence[int]) -> Pixels:
    """Draw the background that a place has, from a little nearer or farther."""
    whole = background(np.random.default_rng(room), cast, side)
    piece = np.ascontiguousarray(_random_crop(rng, whole, 0.7))
    return cv2.resize(piece, (side, side), interpolation=cv2.INTER_LINEAR)


def _random_crop(rng: np.random.Generator, photo: Pixels, smallest: float) -> Pixels:
    height, width = photo.shape[:2]
    tall, wide = (max(8, int(rng.uniform(smallest, 1.0) * extent)) for extent in (height, width))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    return photo[top : top + tall, left : left + wide]


def _photo_crop(rng: np.random.Generator, photo: Pixels, side: int) -> tuple[Pixels, Grid]:
    """Crop a whole photo around its subject, keeping most of it."""
    height, width = photo.shape[:2]
    left, top, wide, tall = cv2.boundingRect((photo[..., 3] > 127).astype(np.uint8))
    x0, y0 = int(rng.uniform(0, left + 0.12 * wide)), int(rng.uniform(0, top + 0.12 * tall))
    x1 = int(rng.uniform(left + 0.88 * wide, width)) or width
    y1 = int(rng.uniform(top + 0.88 * tall, height)) or height
    crop = cv2.resize(photo[y0 : max(y1, y0 + 8), x0 : max(x1, x0 + 8)], (side, side), interpolation=cv2.INTER_AREA)
    crop = np.ascontiguousarray(crop[:, ::-1]) if rng.random() < 0.3 else crop
    return np.ascontiguousarray(crop[..., :3]), crop[..., 3].astype(np.float32) / 255


@dataclass(frozen=True)
class _Patch:
    pixels: Pixels
    left: int
    top: int
    total: float


def _warped(rng: np.random.Generator, cutout: Pixels, place: Placement, side: int) -> _Patch:
    """Scale, turn, stretch, mirror and tilt a cut-out; blur and relight it a little."""
    height, width = cutout.shape[:2]
    scale = place.extent * side / max(height, width)
    half = np.array([width, height]) * scale / 2 * rng.uniform(0.87, 1.13, 2)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    corners = corners * (1 + rng.uniform(-0.12, 0.12, (4, 2)))
    if rng.random() < 0.3:
        corners[:, 0] *= -1
    angle = rng.normal(0, 0.25)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    target = corners @ turn + np.array([place.x, place.y]) * side
    low = np.floor(target.min(0)).astype(int)
    size = np.maximum(np.ceil(target.max(0)).astype(int) - low, 2)
    if scale < 0.6:
        cutout = cv2.resize(cutout, None, fx=1.3 * scale, fy=1.3 * scale, interpolation=cv2.INTER_AREA)
        height, width = cutout.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, (target - low).astype(np.float32))
    warped = cv2.warpPerspective(cutout, matrix, tuple(size.tolist()), flags=cv2.INTER_LINEAR)
    if rng.random() < 0.2:
        warped = cv2.GaussianBlur(warped, (0, 0), float(rng.uniform(0.4, 1.2)))
    gains = np.append(rng.uniform(0.8, 1.15) * rng.uniform(0.94, 1.06, 3), 1.0).astype(np.float32)
    relit = cv2.transform(warped, np.diag(gains))
    return _Patch(relit, int(low[0]), int(low[1]), float(warped[..., 3].sum()) / 255)


def _paste(canvas: Pixels, covers: Grid, index: int, patch: _Patch) -> float:
    """Blend a patch onto the canvas; what lies below loses visibility. Returns the patch's whole area in pixels."""
    side = canvas.shape[0]
    y0, x0 = max(patch.top, 0), max(patch.left, 0)
    y1, x1 = min(patch.top + patch.pixels.shape[0], side), min(patch.left + patch.pixels.shape[1], side)
    if y1 <= y0 or x1 <= x0:
        return patch.total
    piece = patch.pixels[y0 - patch.top : y1 - patch.top, x0 - patch.left : x1 - patch.left]
    alpha = piece[..., 3].astype(np.float32) / 255
    below = canvas[y0:y1, x0:x1] * (1 - alpha[..., None])
    canvas[y0:y1, x0:x1] = np.minimum(below + piece[..., :3], 255).astype(np.uint8)
    covers[:, y0:y1, x0:x1] *= 1 - alpha
    covers[index, y0:y1, x0:x1] = alpha
    return patch.total


def _occlude(rng: np.random.Generator, cast: Cast, canvas: Pixels, covers: Grid) -> None:
    """Hide a small part of the picture behind a box or an ellipse of another background."""
    side = canvas.shape[0]
    stencil = np.zeros((side, side), np.uint8)
    centre, half = rng.integers(0, side, 2), rng.integers(side // 16, side // 6, 2)
    if rng.random() < 0.5:
        cv2.ellipse(stencil, centre.tolist(), half.tolist(), float(rng.uniform(0, 180)), 0, 360, 1, -1)
    else:
        cv2.rectangle(stencil, (centre - half).tolist(), (centre + half).tolist(), 1, -1)
    hidden = stencil.astype(bool)
    canvas[hidden] = background(rng, cast, side)[hidden]
    covers[:, hidden] = 0


def _lighting(rng: np.random.Generator, canvas: Pixels) -> Pixels:
    """Change exposure, gamma and white balance of the whole picture; sometimes blur or add sensor noise."""
    ramp = (
        np.linspace(0, 1, 256)[:, None] ** rng.uniform(0.8, 1.25) * rng.uniform(0.8, 1.15) * rng.uniform(0.93, 1.07, 3)
    )
    table = (np.clip(ramp, 0, 1) * 255).astype(np.uint8)[None]
    lit = cv2.LUT(canvas, table)
    draw = rng.random()
    if draw < 0.15:
        return cv2.GaussianBlur(lit, (0, 0), float(rng.uniform(0.4, 1.1)))
    if draw < 0.3:
        noise = rng.normal(0, rng.uniform(2, 8), lit.shape)
        return np.clip(lit + noise, 0, 255).astype(np.uint8)
    return lit
