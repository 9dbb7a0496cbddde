"""A decoded picture of any size -> RGB of at most `limits.KEPT_PIXELS`, band by band.

Formats that can be decoded at a lower resolution are asked to before; of the others the decoded pixels are there once,
and nothing else of that size.
"""

import math

from PIL import Image, Jpeg2KImagePlugin
from PIL.ImageFile import ImageFile

from ego import limits
from ego.media.colour import Conversion

_OUTPUT_ROWS = 256  # of the small picture, made at a time
_MARGIN = 2  # rows of the small picture that the filter looks beyond a band


def kept_size(size: tuple[int, int], most: int | None = None) -> tuple[int, int]:
    """Scale a size down, where it has to be, so that it holds at most `most` (`limits.KEPT_PIXELS`) pixels."""
    width, height = size
    share = min(1.0, math.sqrt((most or limits.KEPT_PIXELS) / (width * height)))
    return (width, height) if share == 1.0 else (max(1, int(width * share)), max(1, int(height * share)))


def decode_smaller(image: Image.Image) -> None:
    """Ask a reader for a lower resolution that is still at least what is kept, if it has one."""
    if isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile):
        excess = image.size[0] * image.size[1] / limits.JPEG2000_PIXELS
        image.reduce = max(0, math.ceil(math.log(excess, 4)))
    elif isinstance(image, ImageFile) and (target := kept_size(image.size)) != image.size:
        image.draft(image.mode, target)


def converted(image: Image.Image, convert: Conversion) -> Image.Image:
    """Convert a decoded picture, smaller where it is larger than what is kept; of its metadata nothing stays."""
    target = kept_size(image.size)
    if target == image.size:
        whole = convert(image)
        whole.info = {}  # whoever saves the picture would write comments and places along, or turn it once more
        return whole
    small = Image.new("RGB", target)
    for top in range(0, target[1], _OUTPUT_ROWS):
        bottom = min(target[1], top + _OUTPUT_ROWS)
        small.paste(_band(image, convert, (top, bottom), target), (0, top))
    return small


def _band(image: Image.Image, convert: Conversion, rows: tuple[int, int], target: tuple[int, int]) -> Image.Image:
    """Make rows `top` to `bottom` of the small picture."""
    (width, height), scale = image.size, image.size[1] / target[1]
    first = max(0, int((rows[0] - _MARGIN) * scale))
    last = min(height, math.ceil((rows[1] + _MARGIN) * scale))
    part = convert(image.crop((0, first, width, last)))
    box = (0, rows[0] * scale - first, width, min(last, rows[1] * scale) - first)
    return part.resize((target[0], rows[1] - rows[0]), Image.Resampling.HAMMING, box=box)
