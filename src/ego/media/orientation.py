"""How a file stores a picture (EXIF orientation 1 to 8) -> the picture, or a mask of it, as it is shown."""

import numpy as np
from PIL import Image

from ego.media.unreadable import UNREADABLE

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TAG = 0x0112


def orientation_of(image: Image.Image) -> int:
    """Read how a picture is stored; 1 (upright) where nothing sensible is said."""
    try:
        value = image.getexif().get(_TAG, 1)
    except UNREADABLE:  # a damaged EXIF block says nothing about the orientation
        return 1
    return value if value in TURNS else 1


def shown(picture: Image.Image, orientation: int) -> Image.Image:
    """Turn a stored picture to how it is shown."""
    return picture.transpose(TURNS[orientation]) if orientation in TURNS else picture


def shown_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height as shown of a stored width and height."""
    return (size[1], size[0]) if orientation >= 5 else size


def as_shown(mask: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a mask (rows first) of the stored pixels to how the picture is shown."""
    turned = {
        2: lambda: mask[:, ::-1],
        3: lambda: mask[::-1, ::-1],
        4: lambda: mask[::-1],
        5: lambda: mask.T,
        6: lambda: mask.T[:, ::-1],
        7: lambda: mask[::-1, ::-1].T,
        8: lambda: mask.T[::-1],
    }
    return turned[orientation]() if orientation in turned else mask
