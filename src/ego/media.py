"""Images of the user -> upright RGB pictures with a digest, or an ImageError that says what to do.

Reference images and images of queries come in here, once; behind this door every picture is 8-bit RGB, turned as the
camera meant it, and of a size that a model can use. Video is in `video`.

What becomes of odd ones: EXIF orientation is applied; transparency is laid on white; 16-bit and float grey is scaled to
8 bits; CMYK, palette and the like are converted; of an animation the first frame counts (of a PIL image, the one it
stands at). Everything else is refused.
"""

import hashlib
import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ego.concept import SINGLE_IMAGE, ImageSource
from ego.errors import ImageError

LARGEST_PIXELS = 89_000_000  # width x height; from about there on Pillow itself warns of decompression bombs
SMALLEST_SIDE = 8  # pixels; less than one patch of any vision tower
LONGEST_ASPECT = 100  # long side over short side
THUMBNAIL_SIDE = 128  # pixels
# Chosen by hand: readers that start other programs (EPS) or decode no picture stay out.
FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO", "TGA", "QOI"),
    "HEIF",  # only if the user has registered a reader
)
_DEEP_GREY = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
# What Pillow's readers raise on damaged data; they promise nothing narrower.
_UNREADABLE = (OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, struct.error, zlib.error)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """A picture as the method sees it.

    Attributes:
        picture: Upright 8-bit RGB image, in memory.
        source: Where it came from, for messages: a path, or what kind of object was given.
    """

    picture: Image.Image
    source: str

    @cached_property
    def digest(self) -> str:
        """Identify the picture: sha256 of its size and pixels, whatever file format it came in."""
        size = "{}x{}".format(*self.picture.size).encode()
        return hashlib.sha256(size + self.picture.tobytes()).hexdigest()


def read_image(source: ImageSource) -> LoadedImage:
    """Read an image from a path, the bytes of a file, an open file, or a PIL image (which is left as it is).

    Raises:
        ImageError: If it is missing, empty, damaged, not an image, too large, too small or too long.
    """
    label = _label(source)
    with _explained(label), _stream(source, label) as stream:
        image = source if isinstance(source, Image.Image) else Image.open(stream, formats=_formats())
        _require_usable(image.size, label)
        return LoadedImage(_plain(_upright(image)), label)


def thumbnail(picture: Image.Image) -> bytes:
    """Make a small JPEG of a picture, at most 128 pixels a side; no metadata goes into it."""
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    bare = Image.frombytes("RGB", small.size, small.tobytes())  # pixels only: comments and the like travel with `info`
    buffer = io.BytesIO()
    bare.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _label(source: ImageSource) -> str:
    if not isinstance(source, SINGLE_IMAGE):
        raise ImageError(
            f"an image cannot be read from {type(source).__name__}; give a path, a PIL image (of an array: "
            "PIL.Image.fromarray, channels in the order RGB), the bytes of a file, or an open file"
        )
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or f"PIL image {source.size[0]}x{source.size[1]}"
    if isinstance(source, bytes):
        return f"image of {len(source)} bytes"
    return str(source) if isinstance(source, (str, PathLike)) else str(getattr(source, "name", "image file"))


def _stream(source: ImageSource, label: str) -> AbstractContextManager[BinaryIO]:
    """Open what is to be read; closed afterwards only if opened here."""
    if isinstance(source, Image.Image):
        return nullcontext(io.BytesIO())
    if isinstance(source, bytes):
        return io.BytesIO(_not_empty(source, label))
    if isinstance(source, (str, PathLike)):
        return _existing(label).open("rb")
    return nullcontext(source)


def _existing(label: str) -> Path:
    path = Path(label)
    if "://" in label:
        raise ImageError(f"{label} is an address, not a file; download the image first")
    if path.is_dir():
        raise ImageError(f"{label} is a folder; give the image files in it")
    if not path.exists():
        raise ImageError(f"there is no image at {label}; check the path")
    if not path.is_file():
        raise ImageError(f"{label} is not a regular file; give an image file")
    if path.stat().st_size == 0:
        raise ImageError(f"{label} is empty (0 bytes); copy or download the image again")
    return path


def _not_empty(blob: bytes, label: str) -> bytes:
    if not blob:
        raise ImageError(f"{label}: nothing was given; hand over the content of an image file")
    return blob


@contextmanager
def _explained(label: str) -> Iterator[None]:
    """Turn what Pillow raises into an ImageError."""
    try:
        yield
    except _BOMB as error:
        raise ImageError(_too_large(label, f"more than {LARGEST_PIXELS:,}")) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{label} is not an image of a known format; {_hint(label)}") from error
    except _UNREADABLE as error:
        raise ImageError(f"{label} cannot be read as an image ({error}); it seems damaged, export it again") from error


def _hint(label: str) -> str:
    if Path(label).suffix.lower() in {".heic", ".heif"}:
        return "install pillow-heif and call pillow_heif.register_heif_opener() first, or convert it to JPEG"
    return "convert it to JPEG or PNG"


def _too_large(label: str, pixels: str) -> str:
    return f"{label} has {pixels} pixels, at most {LARGEST_PIXELS:,} are read; scale it down first"


def _require_usable(size: tuple[int, int], label: str) -> None:
    """Judge by the header, before any pixel is decoded."""
    (short, long), shape = sorted(size), f"{size[0]}x{size[1]}"
    if short * long > LARGEST_PIXELS:
        raise ImageError(_too_large(label, f"{short * long:,}"))
    if short < SMALLEST_SIDE:
        raise ImageError(f"{label} is {shape} pixels; each side needs at least {SMALLEST_SIDE}")
    if long > LONGEST_ASPECT * short:
        raise ImageError(f"{label} is {shape} pixels, longer than {LONGEST_ASPECT}:1; cut out the part that matters")


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except _UNREADABLE:  # a damaged EXIF block says nothing about the orientation
        return image


def _plain(image: Image.Image) -> Image.Image:
    """Convert any mode to 8-bit RGB."""
    if image.mode in _DEEP_GREY:
        return _eight_bit(image).convert("RGB")
    if image.has_transparency_data:
        return _on_white(image)
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale grey of more than 8 bits: by its type (16 bits), else by the smallest usual full scale that holds it."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64)).clip(min=0)
    scales = (65535.0,) if image.mode.startswith("I;16") else (1.0, 255.0, 65535.0, values.max())
    full = next(scale for scale in scales if scale >= values.max())
    return Image.fromarray((values * (255.0 / full)).round().astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    # Pillow cannot take premultiplied grey straight to RGBA.
    layer = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
