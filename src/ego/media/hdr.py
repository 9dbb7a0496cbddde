"""Light of HDR pictures (PQ and HLG) -> sRGB, as an ordinary screen shows it.

Reference white (203 cd/m2, ITU-R BT.2408) becomes nearly white; what is brighter is pressed into the little that is
left.
"""

import numpy as np
from jaxtyping import Float

PQ, HLG = 16, 18  # transfer characteristics, ITU-T H.273
REFERENCE_WHITE = 203.0  # cd/m2
_PQ_PEAK, _HLG_PEAK = 10_000.0, 1_000.0  # cd/m2 of a signal of 1
_HLG_GAMMA = 1.2  # of a display of 1,000 cd/m2
_KNEE = 0.75  # of reference white: darker colours are shown as they are
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)  # BT.2020


def displayed_light(signal: np.ndarray, transfer: int) -> Float[np.ndarray, "height width 3"]:
    """Light that a screen gives for an HDR signal (unsigned integers, three channels); 1 is reference white."""
    levels = np.arange(np.iinfo(signal.dtype).max + 1) / np.iinfo(signal.dtype).max
    if transfer == PQ:
        return np.asarray((pq_curve(levels) / REFERENCE_WHITE).astype(np.float32)[signal])
    scene = hlg_curve(levels).astype(np.float32)[signal]
    bright = (scene @ _LUMINANCE)[..., None].clip(1e-6)
    return np.asarray(scene * bright ** (_HLG_GAMMA - 1) * (_HLG_PEAK / REFERENCE_WHITE), dtype=np.float32)


def pressed(linear: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, "height width 3"]:
    """Press light of any brightness below 1, keeping the hue."""
    brightest = linear.max(-1, keepdims=True).clip(1e-6)
    room = 1 - _KNEE
    below_one = np.where(brightest > _KNEE, _KNEE + room * (1 - np.exp((_KNEE - brightest) / room)), brightest)
    return np.asarray(linear * (below_one / brightest))


def pq_curve(signal: np.ndarray) -> np.ndarray:
    """Light of a PQ signal (SMPTE ST 2084), cd/m2."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    powered = signal ** (1 / m2)
    return np.asarray(_PQ_PEAK * (np.maximum(powered - c1, 0) / (c2 - c3 * powered)) ** (1 / m1))


def hlg_curve(signal: np.ndarray) -> np.ndarray:
    """Light of the scene of an HLG signal (ARIB STD-B67), 0 to 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
