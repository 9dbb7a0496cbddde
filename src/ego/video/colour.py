"""A decoded frame -> sRGB, as a player on an ordinary screen shows it: matrix, primaries, and HDR (PQ, HLG) to SDR."""

import av
from PIL import Image

from ego.media.code_points import of_code_points
from ego.media.hdr import HLG, PQ

_HD = 720  # lines; from here on video that does not say its matrix is BT.709, below it BT.601
_BT709, _UNSPECIFIED, _BT2020 = 1, 2, 9


def srgb_picture(frame: "av.VideoFrame", size: tuple[int, int]) -> Image.Image:
    """Convert a frame to an sRGB picture of a size."""
    return _tone_mapped(frame, size) if frame.color_trc in {PQ, HLG} else _of_sdr(frame, size)


def _tone_mapped(frame: "av.VideoFrame", size: tuple[int, int]) -> Image.Image:
    signal = frame.to_ndarray(
        format="rgb48le", width=size[0], height=size[1], src_colorspace="BT2020", interpolation="AREA"
    )
    primaries = _BT2020 if frame.color_primaries == _UNSPECIFIED else frame.color_primaries
    colours = of_code_points(primaries, frame.color_trc)
    assert colours is not None
    return Image.fromarray(colours.srgb(signal))


def _of_sdr(frame: "av.VideoFrame", size: tuple[int, int]) -> Image.Image:
    hd = frame.colorspace == _UNSPECIFIED and frame.height >= _HD
    smaller = size[0] * size[1] < frame.width * frame.height
    picture: Image.Image = frame.to_image(
        width=size[0],
        height=size[1],
        src_colorspace="ITU709" if hd else None,
        interpolation="AREA" if smaller else "BICUBIC",
    )
    colours = of_code_points(frame.color_primaries, _BT709)  # players show SDR with one curve, whatever it says
    return picture if colours is None else colours.apply(picture)
