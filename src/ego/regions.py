"""A mask or box in pixels -> how much of each visual token it covers."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ego.concept import Region
from ego.errors import InputError

OBJECT_COVERAGE = 0.5  # share of its box from which a token counts as the subject's (method, section 2)


def region_mask(region: Region, size: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Turn a user's box or mask into a mask of the whole image.

    Args:
        region: Box in pixels, or mask.
        size: Width and height of the image, pixels.

    Raises:
        InputError: If neither or both are given, the box is empty or outside, or the mask has another size.
    """
    width, height = size
    if (region.box is None) == (region.mask is None):
        raise InputError("a region needs either a box or a mask")
    mask = np.zeros((height, width), dtype=bool) if region.mask is None else np.asarray(region.mask).astype(bool)
    if region.box is not None:
        if not np.isfinite(region.box).all():
            raise InputError(f"the box {region.box} is not of finite numbers; give left, top, right, bottom in pixels")
        left, top, right, bottom = (round(edge) for edge in region.box)
        mask[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    if mask.shape != (height, width):
        raise InputError(f"the mask has shape {mask.shape}, the image {(height, width)} (rows, columns)")
    if not mask.any():
        raise InputError(f"the region {region.box or 'mask'} covers nothing of the {width}x{height} image")
    return mask


def token_coverage(
    boxes: Float[Tensor, "visual 4"], mask: Bool[np.ndarray, "height width"]
) -> Float[Tensor, " visual"]:
    """Share of each token's box that the mask covers, 0..1 (integral image; boxes rounded to whole pixels)."""
    height, width = mask.shape
    integral = np.zeros((height + 1, width + 1))
    integral[1:, 1:] = mask.astype(float).cumsum(0).cumsum(1)
    left, top, right, bottom = (boxes.cpu().double().numpy() * (width, height, width, height)).round().astype(int).T
    left, top = np.clip(left, 0, width - 1), np.clip(top, 0, height - 1)
    right, bottom = np.clip(right, left + 1, width), np.clip(bottom, top + 1, height)
    inside = integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left]
    return torch.from_numpy(inside / ((right - left) * (bottom - top))).float()
