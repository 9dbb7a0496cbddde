"""The formats of images, found by content, and what is refused by the header alone."""

import io
import struct
from collections.abc import Sequence
from typing import BinaryIO, cast

import pi_heif
from PIL import Image
from PIL.ImageFile import ImageFile

from ego import limits
from ego.errors import ImageError
from ego.media.colour_marks import note_code_points
from ego.media.jpeg_scans import count_scans, require_few_scans
from ego.media.source import TimedStream

# Chosen by hand: readers that start other programs (EPS) or decode no picture stay out.
SIGNED = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JPEG2000", "PPM", "ICO", "QOI")
UNSIGNED = ("DIB", "TGA")  # their first bytes may belong to anything, so these are tried last
FORMATS = (*SIGNED, *UNSIGNED)
_HELD = {"WEBP", "AVIF", "HEIF", "JPEG", "MPO", "JPEG2000", "ICO", "GIF", "QOI"}
_NOT_THIS_FORMAT = (SyntaxError, IndexError, TypeError, struct.error)


def identify(stream: TimedStream, label: str, formats: Sequence[str] = FORMATS) -> ImageFile | None:
    """Open an image by the first of `formats` that takes it; nothing is decoded. None: it is of no such format.

    Raises:
        ImageError: If the file is too long for its format.
    """
    register_formats()
    length = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    prefix = stream.read(64)
    for name in formats:
        factory, accepts = Image.OPEN[name]
        if accepts is not None and accepts(prefix[:16]) is not True:
            continue
        if name == "AVIF" and b"avi" not in prefix:  # a container's brand that HEIF has, too
            continue
        if name in UNSIGNED and length > limits.IMAGE_BYTES:
            continue
        _require_length(length, name, label)
        if name == "JPEG":  # before its reader goes byte by byte
            count_scans(stream, label)
        try:
            stream.seek(0)
            image = factory(cast(BinaryIO, stream), "")
        except _NOT_THIS_FORMAT:
            continue
        note_code_points(image, stream)
        return image
    return None


def require_readable(image: Image.Image, stream: TimedStream, label: str) -> None:
    """Judge by the header, before any pixel is decoded.

    Raises:
        ImageError: If reading it would take too much memory or time, or it is too small or too long to be used.
    """
    require_usable(image.size, label, image.format or "")
    if image.format in {"JPEG", "MPO"}:
        require_few_scans(stream, image.size, label)


def _require_length(length: int, kind: str, label: str) -> None:
    most = limits.HELD_IMAGE_BYTES if kind in _HELD else limits.IMAGE_BYTES
    if length > most:
        raise ImageError(f"{label} has {length:,} bytes, at most {most:,} are read of {kind}; scale it down first")


def require_usable(size: tuple[int, int], label: str, kind: str = "") -> None:
    """Judge a size: whether it can be decoded, and whether a model can use it."""
    (short, long), shape = sorted(size), f"{size[0]}x{size[1]}"
    most = limits.PIXELS_OF.get(kind, limits.PIXELS)
    if short * long > most:
        raise ImageError(
            f"{label} has {short * long:,} pixels, at most {most:,} are read{f' of {kind}' if kind else ''}; "
            "scale it down first"
        )
    if short < limits.SMALLEST_SIDE:
        raise ImageError(f"{label} is {shape} pixels; each side needs at least {limits.SMALLEST_SIDE}")
    if long > limits.LONGEST_ASPECT * short:
        raise ImageError(
            f"{label} is {shape} pixels, longer than {limits.LONGEST_ASPECT}:1; cut out the part that matters"
        )


def register_formats() -> None:
    """Make Pillow know every format that is read here."""
    Image.init()
    if "HEIF" not in Image.OPEN:
        pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
