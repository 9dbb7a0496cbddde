"""Colour names of a picture's pixels, and the colour changes that make a look-alike."""

import cv2
import numpy as np
from numpy.typing import NDArray

COLOURS: tuple[str, ...] = (
    "black",
    "white",
    "grey",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)
VARIANTS = 6
_HUE_NAMES = (
    (8, "red"),
    (20, "orange"),
    (34, "yellow"),
    (85, "green"),
    (128, "blue"),
    (150, "purple"),
    (170, "pink"),
    (181, "red"),
)
_HUE_TO_COLOUR = np.array(
    [COLOURS.index(next(name for bound, name in _HUE_NAMES if hue < bound)) for hue in range(181)]
)
_GREY_TINTS = ((1.0, 0.42, 0.42), (0.42, 0.6, 1.0), (0.5, 0.95, 0.5), (1.0, 0.85, 0.3), (0.85, 0.45, 1.0))
COLOURFUL = 0.22


def name_pixels(rgb: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Give each pixel [n, 3] the index of its colour name."""
    hsv = cv2.cvtColor(rgb.reshape(1, -1, 3), cv2.COLOR_RGB2HSV)[0].astype(int)
    hue, saturation, value = hsv[:, 0], hsv[:, 1], hsv[:, 2]
    names = _HUE_TO_COLOUR[hue]
    warm = (hue < 24) | (hue > 174)
    names[warm & (value < 150) & (saturation > 60)] = COLOURS.index("brown")
    names[warm & (value >= 190) & (saturation < 120)] = COLOURS.index("pink")
    dull = saturation < 45
    names[dull & (value >= 190)] = COLOURS.index("white")
    names[dull & (value < 190)] = COLOURS.index("grey")
    names[value < 55] = COLOURS.index("black")
    return names


def colour_shares(rgba: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Measure which share of a picture's opaque pixels carries each colour name."""
    opaque = rgba[..., :3][rgba[..., 3] > 200]
    if len(opaque) == 0:
        return np.full(len(COLOURS), 1 / len(COLOURS), np.float32)
    counts = np.bincount(name_pixels(np.ascontiguousarray(opaque)), minlength=len(COLOURS))
    return (counts / counts.sum()).astype(np.float32)


def is_colourful(rgba: NDArray[np.uint8]) -> bool:
    """Tell whether a hue rotation would visibly change the picture."""
    opaque = rgba[..., :3][rgba[..., 3] > 200].astype(np.float32)
    spread = opaque.max(-1, initial=0) - opaque.min(-1, initial=255)
    return bool(len(opaque) and spread.mean() / 255 > COLOURFUL)


def variant_matrix(variant: int, colourful: bool) -> NDArray[np.float32]:
    """Give the 3 x 3 colour change of a variant: 0 is none, others turn the hue by 60 degrees or tint greys."""
    if variant == 0:
        return np.eye(3, dtype=np.float32)
    if not colourful:
        return np.diag(_GREY_TINTS[variant - 1]).astype(np.float32)
    angle = variant * 2 * np.pi / VARIANTS
    along, across = (1 - np.cos(angle)) / 3, np.sin(angle) / np.sqrt(3)
    ring = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    return (np.cos(angle) * np.eye(3) + along + across * ring).astype(np.float32)
