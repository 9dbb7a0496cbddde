"""A mask as tools write them -> True on the subject, one entry per pixel.

A mask is read by its values, never as a photo. Where the picture has transparency that varies, the mask is what is not
transparent, whatever its colours; else every pixel counts that is not black, whatever its value: 0/1 and label masks,
1-bit, 16-bit and palette masks. Formats that blur values (JPEG) count from half of the brightest on.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool
from PIL import Image

from ego import limits
from ego.concept import ImageSource
from ego.errors import ImageError
from ego.media.colour import bands
from ego.media.formats import identify, require_readable
from ego.media.orientation import as_shown, orientation_of
from ego.media.source import TimedStream, label_of, opened
from ego.media.unreadable import explained

_BLURRED = {"JPEG", "MPO", "AVIF", "HEIF", "JPEG2000"}
_HALF = 128  # of 255


def read_mask(source: ImageSource) -> Bool[np.ndarray, "height width"]:
    """Read a mask from a path, the bytes of a file, an open file, or a PIL image.

    Raises:
        ImageError: If it cannot be read, or marks nothing or everything.
    """
    label = label_of(source)
    if isinstance(source, Image.Image):
        with explained(label):
            return _marked(source, label)
    with explained(label), opened(source, limits.IMAGE_BYTES, ImageError) as file:
        stream = TimedStream(file, limits.READ_SECONDS)
        image = identify(stream, label)
        if image is None:
            raise ImageError(f"{label} is not an image of a known format; save the mask as PNG")
        require_readable(image, stream, label)
        return _marked(image, label)


def _marked(image: Image.Image, label: str) -> Bool[np.ndarray, "height width"]:
    image.load()
    turn = orientation_of(image)
    for reading in (_opaque, _not_black, _nonzero):
        mask = reading(image)
        if mask is not None and mask.any() and not mask.all():
            return as_shown(mask, turn)
    raise ImageError(
        f"{label} marks the whole picture or nothing of it; save the mask as a PNG that is white on the subject and "
        "black, or transparent, around it"
    )


def _opaque(image: Image.Image) -> np.ndarray | None:
    """What is not transparent; None where the picture has no transparency."""
    if not image.has_transparency_data:
        return None
    return _by_bands(image, lambda part: np.asarray(_with_alpha(part).getchannel("A")) >= _HALF)


def _with_alpha(part: Image.Image) -> Image.Image:
    return (part.convert("LA") if part.mode == "La" else part).convert("RGBA")


def _not_black(image: Image.Image) -> np.ndarray:
    """What is not black; of formats that blur, what is bright."""
    least = _HALF if image.format in _BLURRED else 1
    if image.mode in {"L", "1"} or image.mode.startswith(("I", "F")):
        return _by_bands(image, lambda part: np.nan_to_num(np.asarray(part)) >= (least if part.mode == "L" else 1e-9))
    return _by_bands(image, lambda part: np.asarray(part.convert("RGB")).max(-1) >= least)


def _nonzero(image: Image.Image) -> np.ndarray | None:
    """Labels of a palette whose colours say nothing."""
    return _by_bands(image, lambda part: np.asarray(part) != 0) if image.mode == "P" else None


def _by_bands(image: Image.Image, read: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    width = image.size[0]
    return np.concatenate([read(image.crop((0, top, width, bottom))) for top, bottom in bands(image.size)])
