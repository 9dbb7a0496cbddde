"""A COCO segmentation -> a mask of known size. Everything is checked before the library's C code sees it."""

from math import isfinite
from typing import Any

import numpy as np
from jaxtyping import Bool
from pycocotools import mask as rle

FARTHEST = 2.0  # of a polygon's corner outside the image, in sides of it; rounding and padding go a little out


class UnusableMaskError(ValueError):
    """A segmentation is neither polygons nor RLE of the size of its image."""


def mask_of(segmentation: Any, size: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Draw the mask.

    Args:
        segmentation: Polygons, RLE, or a list of RLE.
        size: Width and height of the image.

    Raises:
        UnusableMaskError: If it is none of these, or of another size.
    """
    return np.asarray(rle.decode(_run_lengths(segmentation, size)), dtype=bool)


def area_of(segmentation: Any, size: tuple[int, int]) -> float:
    """Count the pixels of the mask.

    Raises:
        UnusableMaskError: If it is no mask of that size.
    """
    return float(rle.area(_run_lengths(segmentation, size)))


def _run_lengths(segmentation: Any, size: tuple[int, int]) -> Any:
    """Bring every form to one compressed RLE."""
    if not segmentation:
        raise UnusableMaskError("there is none; a box alone is no mask")
    parts = segmentation if isinstance(segmentation, list) else [segmentation]
    if all(isinstance(part, dict) for part in parts):
        return rle.merge([_from_rle(part, size) for part in parts])
    if isinstance(parts[0], (int, float)):  # one polygon, not in a list
        parts = [parts]
    polygons = [_polygon(part, size) for part in parts]
    return rle.merge(rle.frPyObjects(polygons, size[1], size[0]))


def _polygon(part: Any, size: tuple[int, int]) -> list[float]:
    if not isinstance(part, list) or not all(type(number) in (int, float) for number in part):
        raise UnusableMaskError("a polygon is no list of numbers")
    if len(part) < 6 or len(part) % 2:
        raise UnusableMaskError(f"a polygon has {len(part)} numbers; at least three corners of two are needed")
    farthest = FARTHEST * max(size)
    if not all(isfinite(number) and abs(number) <= farthest for number in part):
        raise UnusableMaskError("a corner of a polygon is far outside the image")
    return [float(number) for number in part]


def _from_rle(part: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    width, height = size
    if part.get("size") != [height, width]:
        raise UnusableMaskError(f"it is of size {part.get('size')}, the image of [{height}, {width}]")
    counts = part.get("counts")
    if isinstance(counts, str):
        counts = _unpacked(counts, width * height)
    if not isinstance(counts, list) or not all(type(count) is int and count >= 0 for count in counts):
        raise UnusableMaskError("its counts are neither text nor a list of whole numbers")
    if sum(counts) != width * height:
        raise UnusableMaskError(f"its counts add up to {sum(counts)}, the image has {width * height} pixels")
    packed: dict[str, Any] = rle.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return packed


def _unpacked(text: str, pixels: int) -> list[int]:
    """Read compressed counts: groups of 5 bits, from 48 on; from the third on the difference to the last but one."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 60:
            raise UnusableMaskError(f"its counts hold {character!r}, which no COCO file does")
        value |= (group & 0x1F) << shift
        shift += 5
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
        if len(counts) > pixels + 2:
            raise UnusableMaskError("it has more counts than pixels")
    if shift:
        raise UnusableMaskError("its counts end in the middle of a number")
    return counts
