"""Pixels of any mode and colour space -> 8-bit sRGB as a viewer shows them, laid on white where they are transparent.

Profiles (ICC) are followed: Display P3 of telephones, Adobe RGB of cameras, CMYK of printers; without one, what the
file declares (`code_points`). 16-bit and float grey is scaled to 8 bits.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from ego import limits
from ego.media.code_points import DeclaredColours, declared_colours

BAND_PIXELS = 2**22  # converted at a time, so that no second copy of a very large picture is ever made
_DEEP_GREY = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_EIGHT_OF_SIXTEEN = (np.arange(65536) / 257).round().astype(np.uint8)
_MODE_OF_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}


@dataclass(frozen=True, eq=False)
class Conversion:
    """How the pixels of one picture become sRGB; any part of it may be converted by itself.

    Attributes:
        transform: From the profile's or declared colours to sRGB; None where they are sRGB.
        profile_mode: Mode that the transform takes.
        full_scale: Value of white, for grey of more than 8 bits.
    """

    transform: ImageCms.ImageCmsTransform | DeclaredColours | None
    profile_mode: str
    full_scale: float

    def __call__(self, part: Image.Image) -> Image.Image:
        """Convert a part of the picture."""
        if part.mode in _DEEP_GREY:
            part = _eight_bit(part, self.full_scale)
        if not part.has_transparency_data:
            return self._srgb(part)
        # Pillow cannot take premultiplied grey straight to RGBA.
        layer = as_mode(part.convert("LA") if part.mode == "La" else part, "RGBA")
        on_white = Image.new("RGB", part.size, "white")
        on_white.paste(self._srgb(layer), mask=layer.getchannel("A"))
        return on_white

    def _srgb(self, part: Image.Image) -> Image.Image:
        if self.transform is None:
            return part.convert("RGB")  # a copy: what is given may be somebody's own, or change with the next frame
        return self.transform.apply(as_mode(part, self.profile_mode))


def as_mode(part: Image.Image, mode: str) -> Image.Image:
    """Convert a picture, without a copy where it is of that mode already."""
    return part if part.mode == mode else part.convert(mode)


def conversion(image: Image.Image) -> Conversion:
    """Find out how a decoded picture becomes sRGB."""
    transform, mode = _transform_of(image)
    return Conversion(transform, mode, _full_scale(image))


def bands(size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Cut a picture into bands of rows, each of at most about `BAND_PIXELS`."""
    width, height = size
    rows = max(1, BAND_PIXELS // width)
    for top in range(0, height, rows):
        yield top, min(height, top + rows)


def _transform_of(image: Image.Image) -> tuple[ImageCms.ImageCmsTransform | DeclaredColours | None, str]:
    """Follow what counts most: cICP, then a profile, then other marks."""
    profile = None if "cicp" in image.info else image.info.get("icc_profile")
    transform, mode = _transform(profile, image.mode)
    if transform is None and image.mode == "LAB":
        return ImageCms.buildTransform(_lab(), _srgb_profile(), "LAB", "RGB"), "LAB"
    if not profile and image.mode != "CMYK":
        return declared_colours(image.info), "RGB"
    return transform, mode


def _transform(profile: bytes | None, mode: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    if not isinstance(profile, bytes) or not 0 < len(profile) <= limits.PROFILE_BYTES:
        return None, "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        profile_mode = _MODE_OF_SPACE.get(source.profile.xcolor_space.strip(), "")
        if not _fits(profile_mode, mode):
            return None, "RGB"
        transform = ImageCms.buildTransform(source, _srgb_profile(), profile_mode, "RGB")
        return (None if _is_identity(transform, profile_mode) else transform), profile_mode
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):  # a damaged profile says nothing about the colours
        return None, "RGB"


def _fits(profile_mode: str, mode: str) -> bool:
    """Tell whether a profile can be meant for pixels of a mode: one of another kind is a mistake of some program."""
    if profile_mode in {"CMYK", "LAB"} or mode in {"CMYK", "LAB"}:
        return profile_mode == mode
    if profile_mode == "L":
        return mode in {"1", "L", "LA", "La"} or mode in _DEEP_GREY
    return profile_mode == "RGB"


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Tell an sRGB profile by what it does, so that such photos keep every pixel."""
    if mode != "RGB":
        return False
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, len(steps), 3)
    shown = np.asarray(transform.apply(Image.fromarray(cube)), dtype=int)
    return bool(np.abs(shown - cube).max() <= 2)


def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _lab() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))


def _full_scale(image: Image.Image) -> float:
    """Find the value of white: by the type (16 bits), else the smallest usual full scale that holds all values."""
    if image.mode not in _DEEP_GREY or image.mode.startswith("I;16"):
        return 65535.0
    width = image.size[0]
    parts = (_numbers(image.crop((0, top, width, bottom))) for top, bottom in bands(image.size))
    largest = max(float(part.max(initial=0, where=np.isfinite(part))) for part in parts)
    return next(scale for scale in (1.0, 255.0, 65535.0, largest) if scale >= largest)


def _eight_bit(part: Image.Image, full_scale: float) -> Image.Image:
    """Scale grey to 8 bits; what is no number is black, what is infinite white."""
    if part.mode.startswith("I;16"):
        return Image.fromarray(_EIGHT_OF_SIXTEEN[np.asarray(part)])
    values = _numbers(part)
    np.multiply(values, 255 / full_scale, out=values)
    np.clip(np.rint(values, out=values), 0, 255, out=values)
    return Image.fromarray(np.nan_to_num(values, copy=False).astype(np.uint8))


def _numbers(part: Image.Image) -> np.ndarray:
    return np.array(part, dtype=np.float32)
