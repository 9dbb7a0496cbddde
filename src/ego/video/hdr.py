"""HDR frames (PQ and HLG, BT.2020) -> sRGB, as a player on an ordinary screen shows them.

Reference white (203 cd/m2, ITU-R BT.2408) becomes nearly white; what is brighter is pressed into the little that is
left.
"""

import av
import numpy as np
from jaxtyping import Float
from PIL import Image

_PQ, _HLG = 16, 18  # transfer characteristics, ITU-T H.273
REFERENCE_WHITE = 203.0  # cd/m2
_PQ_PEAK, _HLG_PEAK = 10_000.0, 1_000.0  # cd/m2 of a signal of 1
_HLG_GAMMA = 1.2  # of a display of 1,000 cd/m2
_KNEE = 0.75  # of reference white: darker colours are shown as they are
_BT2020_TO_709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]],
    dtype=np.float32,
)
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)  # BT.2020


def needs_tone_mapping(frame: "av.VideoFrame") -> bool:
    """Tell whether a frame is HDR."""
    return frame.color_trc in {_PQ, _HLG}


def tone_mapped(frame: "av.VideoFrame", size: tuple[int, int]) -> Image.Image:
    """Convert an HDR frame to sRGB of a size."""
    signal = frame.to_ndarray(
        format="rgb48le", width=size[0], height=size[1], src_colorspace="BT2020", interpolation="AREA"
    )
    light = _pq_light(signal) if frame.color_trc == _PQ else _hlg_light(signal)
    return Image.fromarray(to_srgb(light / np.float32(REFERENCE_WHITE)))


def to_srgb(light: Float[np.ndarray, "height width 3"]) -> np.ndarray:
    """Press linear BT.2020 light, 1 being reference white, into 8-bit sRGB, keeping the hue."""
    linear = light @ _BT2020_TO_709.T
    brightest = linear.max(-1, keepdims=True).clip(1e-6)
    room = 1 - _KNEE
    pressed = np.where(brightest > _KNEE, _KNEE + room * (1 - np.exp((_KNEE - brightest) / room)), brightest)
    return (_srgb_curve((linear * (pressed / brightest)).clip(0, 1)) * 255).round().astype(np.uint8)


def pq_curve(signal: np.ndarray) -> np.ndarray:
    """Light of a PQ signal (SMPTE ST 2084), cd/m2."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    powered = signal ** (1 / m2)
    return np.asarray(_PQ_PEAK * (np.maximum(powered - c1, 0) / (c2 - c3 * powered)) ** (1 / m1))


def hlg_curve(signal: np.ndarray) -> np.ndarray:
    """Light of the scene of an HLG signal (ARIB STD-B67), 0 to 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _pq_light(signal: np.ndarray) -> np.ndarray:
    return np.asarray(pq_curve(np.arange(65536) / 65535).astype(np.float32)[signal])


def _hlg_light(signal: np.ndarray) -> np.ndarray:
    scene = hlg_curve(np.arange(65536) / 65535).astype(np.float32)[signal]
    bright = (scene @ _LUMINANCE)[..., None].clip(1e-6)
    return np.asarray(_HLG_PEAK * scene * bright ** (_HLG_GAMMA - 1), dtype=np.float32)


def _srgb_curve(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
