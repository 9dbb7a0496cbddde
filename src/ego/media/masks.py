"""A mask as tools write them -> True on the subject, one entry per pixel.

A mask is read by its values, never as a photo. Where the picture has transparency that varies, the mask is what is more
opaque, whatever its colours; else every pixel counts that is not black, whatever its value: 0/1 and label masks,
1-bit, 16-bit and palette masks. Formats that blur values (JPEG, lossy WebP) count from half of the brightest on.
"""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool
from PIL import Image

from ego import limits
from ego.concept import ImageSource
from ego.errors import ImageError
from ego.media.colour import as_mode, bands
from ego.media.formats import identify, require_readable
from ego.media.orientation import as_shown, orientation_of
from ego.media.source import TimedStream, label_of, opened
from ego.media.unreadable import explained

_BLURRED = {"JPEG", "MPO", "AVIF", "HEIF", "JPEG2000"}
_HALF = 128  # of 255
_MOST_CHUNKS = 8  # before the picture of a WebP: what is in the file, and a profile
_VARIES = 64  # of 255: transparency that differs by less says nothing


def read_mask(source: ImageSource) -> Bool[np.ndarray, "height width"]:
    """Read a mask from a path, the bytes of a file, an open file, or a PIL image.

    Raises:
        ImageError: If it cannot be read, or marks nothing or everything.
    """
    label = label_of(source)
    if isinstance(source, Image.Image):
        with explained(label):
            return _marked(source, label, blurred=_blurs(source.format, getattr(source, "fp", None)))
    with explained(label), opened(source, limits.IMAGE_BYTES, ImageError) as file:
        stream = TimedStream(file, limits.READ_SECONDS)
        image = identify(stream, label)
        if image is None:
            raise ImageError(f"{label} is not an image of a known format; save the mask as PNG")
        require_readable(image, stream, label)
        return _marked(image, label, blurred=_blurs(image.format, stream))


def _marked(image: Image.Image, label: str, *, blurred: bool) -> Bool[np.ndarray, "height width"]:
    image.load()
    turn, least = orientation_of(image), _HALF if blurred else 1
    for reading in (_opaque, lambda picture: _not_black(picture, least), _nonzero):
        mask = reading(image)
        if mask is not None and mask.any() and not mask.all():
            return as_shown(mask, turn)
    raise ImageError(
        f"{label} marks the whole picture or nothing of it; save the mask as a PNG that is white on the subject and "
        "black, or transparent, around it"
    )


def _opaque(image: Image.Image) -> np.ndarray | None:
    """What is more opaque than the middle; None where the picture is as opaque everywhere."""
    if not image.has_transparency_data:
        return None
    opacity = _by_bands(image, _opacity)
    least, most = int(opacity.min()), int(opacity.max())
    return None if most - least < _VARIES else opacity > (least + most) / 2


def _opacity(part: Image.Image) -> np.ndarray:
    layer = as_mode(part.convert("LA") if part.mode == "La" else part, "RGBA")
    return np.asarray(layer.getchannel("A"))


def _not_black(image: Image.Image, least: int) -> np.ndarray:
    """What is at least that bright, of 255; where it is 1, everything that is not black, of any depth."""
    if image.mode in {"L", "1"} or image.mode.startswith(("I", "F")):
        return _by_bands(image, lambda part: np.nan_to_num(np.asarray(part)) >= (least if part.mode == "L" else 1e-9))
    return _by_bands(image, lambda part: np.asarray(part.convert("RGB")).max(-1) >= least)


def _blurs(kind: str | None, stream: Any) -> bool:
    """Tell formats that do not keep values; WebP is of both kinds, and its first bytes say which."""
    return kind in _BLURRED or (kind == "WEBP" and stream is not None and _is_lossy_webp(stream))


def _is_lossy_webp(stream: Any) -> bool:
    """Walk over the chunks of a WebP up to its picture."""
    position = 12
    for _ in range(_MOST_CHUNKS):
        stream.seek(position)
        kind, length = struct.unpack("<4sI", stream.read(8).ljust(8, b"\0"))
        if kind in {b"VP8 ", b"VP8L"}:
            return bool(kind == b"VP8 ")
        position += 8 + length + length % 2
    return False


def _nonzero(image: Image.Image) -> np.ndarray | None:
    """Labels of a palette whose colours say nothing."""
    return _by_bands(image, lambda part: np.asarray(part) != 0) if image.mode == "P" else None


def _by_bands(image: Image.Image, read: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    width = image.size[0]
    return np.concatenate([read(image.crop((0, top, width, bottom))) for top, bottom in bands(image.size)])
