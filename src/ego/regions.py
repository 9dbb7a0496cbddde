"""A mask or box in pixels of the picture as displayed -> how much of each visual token it covers."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from ego.concept import Region
from ego.errors import InputError
from ego.media.orientation import as_shown

OBJECT_COVERAGE = 0.5  # share of its box from which a token counts as the subject's (method, section 2)
_TURNED = "turned by the EXIF orientation {} of its file"


def region_mask(
    region: Region, size: tuple[int, int], *, orientation: int = 1, kept: tuple[int, int] | None = None
) -> Bool[np.ndarray, "height width"]:
    """Turn a user's box or mask into a mask of the whole picture.

    A mask of the stored pixels of a turned photo is turned with it where its shape shows what it is, or the user says
    so (`Region.space`); where both would fit and nobody says which, it is refused.

    Args:
        region: Box in pixels, or mask.
        size: Width and height of the picture as displayed, pixels.
        orientation: How the file stores the picture, as EXIF counts.
        kept: Width and height of the picture in memory, where a very large one was made smaller.

    Returns:
        Mask of the picture in memory.

    Raises:
        InputError: If neither or both are given, the box is empty or outside, or the mask has another size.
    """
    if (region.box is None) == (region.mask is None):
        raise InputError("a region needs either a box or a mask")
    if region.box is not None:
        if region.space == "stored":
            raise InputError("a box of the stored pixels was given; give it in pixels of the picture as displayed")
        return _box_mask(region.box, size, kept or size)
    return _scaled(_mask_as_shown(region, size, orientation), kept or size)


def _box_mask(box: object, size: tuple[int, int], kept: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    (width, height), edges = size, _edges(box)
    given = ",".join(f"{edge:g}" for edge in edges)
    left, top, right, bottom = (round(edge) for edge in edges)
    if left < 0 or top < 0 or right > width or bottom > height:
        raise InputError(
            f"the box {given} reaches outside the {width}x{height} picture; give left, top, right, bottom in pixels of "
            "the picture as displayed"
        )
    if right <= left or bottom <= top:
        raise InputError(f"the box {given} covers nothing; give left, top, right, bottom, not a width and height")
    across, down = kept[0] / width, kept[1] / height
    mask = np.zeros((kept[1], kept[0]), dtype=bool)
    left, top = int(left * across), int(top * down)
    mask[top : max(top + 1, round(bottom * down)), left : max(left + 1, round(right * across))] = True
    return mask


def _edges(box: object) -> tuple[float, ...]:
    try:
        edges = np.asarray(box, dtype=float)
    except (TypeError, ValueError, OverflowError):
        edges = np.empty(0)
    if edges.shape != (4,) or not np.isfinite(edges).all():
        raise InputError(f"the box {box!r} is no four finite numbers; give left, top, right, bottom in pixels")
    return tuple(edges.tolist())


def _marked(mask: object) -> Bool[np.ndarray, "..."]:
    """Read the entries of a mask; what is no number marks nothing."""
    try:
        values = np.asarray(mask)
        if values.ndim != 2 or values.dtype.kind not in "biuf":
            raise TypeError
    except (TypeError, ValueError):
        raise InputError(
            f"a mask cannot be taken from {type(mask).__name__}; give an array of rows and columns, True on the "
            "subject (of a file: ego.media.masks.read_mask)"
        ) from None
    return np.asarray(np.nan_to_num(values) if values.dtype.kind == "f" else values, dtype=bool)


def _mask_as_shown(region: Region, size: tuple[int, int], orientation: int) -> Bool[np.ndarray, "height width"]:
    mask, (width, height) = _marked(region.mask), size
    stored = (width, height) if orientation >= 5 else (height, width)
    fits = {"displayed": mask.shape == (height, width), "stored": mask.shape == stored}
    spaces = [space for space, fit in fits.items() if fit and region.space in {None, space}]
    if not spaces:
        turned = f"; stored, {_TURNED.format(orientation)}, it is {stored}" if orientation > 1 else ""
        raise InputError(
            f"the mask has shape {mask.shape}, the picture {(height, width)} (rows, columns){turned}; save the mask in "
            "the size of the picture as displayed"
        )
    if orientation > 1 and len(spaces) > 1:
        raise InputError(
            f"the picture is {_TURNED.format(orientation)}, and the mask fits both the picture as displayed and the "
            "stored pixels; say which it is: space='displayed' or space='stored' (--mask-space on the command line)"
        )
    if not mask.any():
        raise InputError(f"the mask covers nothing of the {width}x{height} picture")
    return as_shown(mask, orientation) if spaces == ["stored"] else mask


def _scaled(mask: Bool[np.ndarray, "height width"], kept: tuple[int, int]) -> Bool[np.ndarray, "rows columns"]:
    if mask.shape == (kept[1], kept[0]):
        return mask
    return np.asarray(Image.fromarray(mask).resize(kept, Image.Resampling.NEAREST))


def token_coverage(
    boxes: Float[Tensor, "visual 4"], mask: Bool[np.ndarray, "height width"]
) -> Float[Tensor, " visual"]:
    """Share of each token's box that the mask covers, 0..1 (integral image; boxes rounded to whole pixels)."""
    height, width = mask.shape
    integral = np.zeros((height + 1, width + 1), dtype=np.int64)
    np.cumsum(mask, axis=0, dtype=np.int64, out=integral[1:, 1:])
    np.cumsum(integral, axis=1, out=integral)
    left, top, right, bottom = (boxes.cpu().double().numpy() * (width, height, width, height)).round().astype(int).T
    left, top = np.clip(left, 0, width - 1), np.clip(top, 0, height - 1)
    right, bottom = np.clip(right, left + 1, width), np.clip(bottom, top + 1, height)
    inside = integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left]
    return torch.from_numpy(inside / ((right - left) * (bottom - top))).float()
