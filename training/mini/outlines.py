"""Outlines of subjects in photos that nobody has cut out: GrabCut, from a box or from the middle of the picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
SOUGHT_SIDE = 112  # pixels of the longest side, at which a photo is searched
MARGIN = 0.03  # of the height, at the border, that is surely not the subject
SHARES = (0.08, 0.75)  # of the picture, that a believable subject covers
LEAST_IN_ONE_PIECE, MOST_AT_BORDER = 0.75, 0.25


def ellipse(height: int, width: int, extent: float) -> Pixels:
    """Draw what stands for the mask of a subject in the middle."""
    mask = np.zeros((height, width), np.uint8)
    axes = (int(0.5 * extent * width), int(0.5 * extent * height))
    cv2.ellipse(mask, (width // 2, height // 2), axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
    return mask


def boxed(rgb: Pixels) -> Pixels:
    """Separate a centred subject from its surroundings; all of the picture, if nothing is found."""
    height, width = rgb.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    box = (int(0.08 * width), int(0.06 * height), int(0.84 * width), int(0.9 * height))
    subject = cv2.morphologyEx(_cut(rgb, mask, box), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    piece = _largest(subject)
    return np.full((height, width), 255, np.uint8) if piece is None else piece * np.uint8(255)


def salient(rgb: Pixels, extent: float) -> Pixels | None:
    """Separate what stands in the middle from the rest, or give nothing where the result is not believable.

    The mask is small, as long as the side at which a photo is searched.
    """
    scale = SOUGHT_SIDE / max(rgb.shape[:2])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    mask = np.where(ellipse(height, width, extent) > 127, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    margin = max(1, int(MARGIN * height))
    for edge in (mask[:margin], mask[-margin:], mask[:, :margin], mask[:, -margin:]):
        edge[:] = cv2.GC_BGD
    subject = _cut(small, mask)
    piece = _largest(subject)
    if piece is None or piece.sum() < LEAST_IN_ONE_PIECE * subject.sum() or not SHARES[0] < piece.mean() < SHARES[1]:
        return None
    inside = piece[margin:-margin, margin:-margin]
    if np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]]).mean() > MOST_AT_BORDER:
        return None
    return piece * np.uint8(255)


def _cut(rgb: Pixels, mask: Pixels, box: tuple[int, int, int, int] | None = None) -> Pixels:
    """Run GrabCut from a box, or from a mask of what is probable; 1 where the subject is."""
    cv2.setRNGSeed(0)
    start = cv2.GC_INIT_WITH_MASK if box is None else cv2.GC_INIT_WITH_RECT
    colours = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(rgb[..., ::-1]), mask, box, *colours, 5, start)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _largest(subject: Pixels) -> Pixels | None:
    """Keep the largest piece of a mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(subject)
    if count < 2:
        return None
    return (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
