"""A decoded frame -> an RGB picture as a player shows it: turned or mirrored, with square pixels, in sRGB."""

import struct
from typing import NamedTuple

import av
from PIL import Image

from ego.media.reducing import kept_size
from ego.video.colour import srgb_picture

_WIDEST_PIXEL = 8  # times as wide as high, or the other way round; more is nonsense of a damaged header


class Turn(NamedTuple):
    """How a stored picture becomes the one that is shown: columns and rows exchanged, then mirrored."""

    transposed: bool
    left_right: bool
    top_bottom: bool


def as_displayed(frame: "av.VideoFrame", stream: "av.video.VideoStream", most_pixels: int) -> Image.Image:
    """Convert a frame, smaller where it has more than `most_pixels`."""
    size = kept_size(_square_pixels(frame.width, frame.height, stream), most_pixels)
    return turned(srgb_picture(frame, size), display_turn(frame))


def display_turn(frame: "av.VideoFrame") -> Turn:
    """Read the display matrix of a frame; upright where there is none."""
    found = frame.side_data.get(av.sidedata.sidedata.Type.DISPLAYMATRIX)
    if found is None or found.buffer_size != 36:
        return Turn(False, False, False)
    across_x, down_x, _, across_y, down_y, *_ = struct.unpack("=9i", bytes(found))
    return matrix_turn(across_x, down_x, across_y, down_y)


def matrix_turn(a: int, b: int, c: int, d: int) -> Turn:
    """Find the turn nearest to a matrix that shows the stored point (x, y) at (a x + c y, b x + d y), y downwards."""
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, left_right=a < 0, top_bottom=d < 0)
    return Turn(True, left_right=c < 0, top_bottom=b < 0)


def turned(picture: Image.Image, turn: Turn) -> Image.Image:
    """Turn a stored picture."""
    for wanted, step in zip(
        turn,
        (Image.Transpose.TRANSPOSE, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM),
        strict=True,
    ):
        picture = picture.transpose(step) if wanted else picture
    return picture


def _square_pixels(width: int, height: int, stream: "av.video.VideoStream") -> tuple[int, int]:
    aspect = stream.sample_aspect_ratio
    if not aspect or not 1 / _WIDEST_PIXEL <= aspect <= _WIDEST_PIXEL:
        return width, height
    return max(1, round(width * aspect)), height
