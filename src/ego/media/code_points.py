"""Colours declared without a profile, by code points (ITU-T H.273) or by PNG's gAMA and cHRM -> sRGB.

The primaries say what red, green, blue and white are, the transfer what light a value stands for. Curves meant for SDR
video count as that of sRGB, as in browsers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from PIL import Image

from ego.media.hdr import HLG, PQ, displayed_light, pressed

Chromaticities: TypeAlias = tuple[float, ...]  # x and y of white, red, green and blue, as cHRM has them
_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_SRGB: Chromaticities = (*_D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
_PRIMARIES: dict[int, Chromaticities] = {
    1: _SRGB,
    4: (*_C, 0.670, 0.330, 0.210, 0.710, 0.140, 0.080),  # BT.470 M
    5: (*_D65, 0.640, 0.330, 0.290, 0.600, 0.150, 0.060),  # BT.470 B/G: PAL
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),  # SMPTE 170M: NTSC
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),  # film
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    11: (*_DCI, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # DCI-P3
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),  # EBU 3213-E
}
_UNSPECIFIED = 2
_LIKE_SRGB = {1, _UNSPECIFIED, 6, 7, 11, 13, 14, 15}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_NEARLY = 0.01  # 1/2.2 is what programs write beside pictures that are sRGB
_SAME = 5e-3  # of a matrix: cHRM gives three or four digits
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_STEPS = 65535  # of linear light, looked up in sRGB's curve
_AT_ONCE = 2**22  # values converted at a time: linear light takes four times the memory


@dataclass(frozen=True, eq=False)
class DeclaredColours:
    """How values of declared colours become sRGB.

    Attributes:
        matrix: From their linear light to that of sRGB.
        light: Of each 8-bit value, white being 1; None: of `transfer`.
        transfer: PQ or HLG, where `light` is None.
    """

    matrix: Float[np.ndarray, "3 3"]
    light: Float[np.ndarray, "256"] | None
    transfer: int = 0

    def apply(self, picture: Image.Image) -> Image.Image:
        """Convert an RGB picture."""
        values = np.asarray(picture)
        parts = np.array_split(values, values.size // _AT_ONCE + 1)
        return Image.fromarray(np.concatenate([self.srgb(part) for part in parts]))

    def srgb(self, values: np.ndarray) -> np.ndarray:
        """Convert values (unsigned integers of rows, columns and three channels) to 8-bit sRGB."""
        if self.light is not None:
            return srgb_values(self.light[values] @ self.matrix.T)
        return srgb_values(pressed(displayed_light(values, self.transfer) @ self.matrix.T))


def declared_colours(info: Mapping[Any, Any]) -> DeclaredColours | None:
    """Find out what a file says of its colours beside a profile (`Image.info`); None: nothing, or that they are sRGB.

    Names of `info`: `cicp`, `srgb`, `gamma` and `chromaticity` (PNG), `nclx_profile` (HEIF, AVIF).
    """
    if "cicp" in info:
        return of_code_points(*info["cicp"])
    if numbers := info.get("nclx_profile"):
        return of_code_points(numbers["color_primaries"], numbers["transfer_characteristics"])
    gamma = info.get("gamma")
    if "srgb" in info or not gamma or not 0.1 <= gamma <= 10:  # cHRM alone says nothing, as in browsers
        return None
    curve = _srgb_light() if abs(gamma - 1 / 2.2) < _NEARLY else _power(1 / gamma)
    try:
        return _meant(matrix_to_srgb(tuple(info.get("chromaticity", _SRGB))), curve)
    except ValueError:  # impossible primaries say nothing
        return None


def of_code_points(primaries: int, transfer: int) -> DeclaredColours | None:
    """Find out what code points stand for; None: sRGB, nothing, or something that is not known here."""
    matrix = matrix_to_srgb(_PRIMARIES.get(primaries, _SRGB))
    if transfer in {PQ, HLG}:
        return DeclaredColours(matrix, None, transfer)
    if transfer in _LIKE_SRGB:
        return _meant(matrix, _srgb_light())
    return _meant(matrix, _power(_GAMMAS[transfer])) if transfer in _GAMMAS else None


@lru_cache(maxsize=64)
def matrix_to_srgb(colours: Chromaticities) -> Float[np.ndarray, "3 3"]:
    """Matrix from linear light of some primaries to that of sRGB, white staying white.

    Raises:
        ValueError: If there can be no such primaries.
    """
    if min(colours[1::2]) <= 0:
        raise ValueError("a colour without luminance")
    white, there, srgb = _xyz(colours[:2]), _to_xyz(colours), _to_xyz(_SRGB)
    cones = np.diag((_BRADFORD @ _xyz(_D65)) / (_BRADFORD @ white))
    matrix = np.linalg.solve(srgb, np.linalg.solve(_BRADFORD, cones @ _BRADFORD) @ there)
    return matrix.astype(np.float32)


def srgb_values(linear: Float[np.ndarray, "height width 3"]) -> np.ndarray:
    """8-bit sRGB of linear light; what lies outside is clipped."""
    steps = np.clip(linear, 0, 1, out=linear)
    numbers = np.rint(np.multiply(steps, _STEPS, out=steps), out=steps).astype(np.uint16)
    return np.asarray(_srgb_table()[numbers])


def _meant(matrix: np.ndarray, light: np.ndarray) -> DeclaredColours | None:
    """Leave out what changes nothing, so that such pictures keep every pixel."""
    same = light is _srgb_light() and np.abs(matrix - np.eye(3)).max() < _SAME
    return None if same else DeclaredColours(matrix, light)


def _xyz(chromaticity: Chromaticities) -> np.ndarray:
    x, y = chromaticity
    return np.array([x / y, 1, (1 - x - y) / y])


def _to_xyz(colours: Chromaticities) -> np.ndarray:
    columns = np.stack([_xyz(colours[place : place + 2]) for place in (2, 4, 6)], 1)
    return np.asarray(columns * np.linalg.solve(columns, _xyz(colours[:2])))


@cache
def _srgb_light() -> np.ndarray:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _power(exponent: float) -> np.ndarray:
    return ((np.arange(256) / 255) ** exponent).astype(np.float32)


@cache
def _srgb_table() -> np.ndarray:
    linear = np.arange(_STEPS + 1) / _STEPS
    value = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray((value * 255).round().astype(np.uint8))
