"""Which decoder layers are read: the user's, the calibrated ones, or the depth band (paper 3.2)."""

import logging
from collections.abc import Sequence

from ego.errors import ConfigError

log = logging.getLogger(__name__)


def depth_band_layers(attention_layers: Sequence[int], layer_count: int, band: tuple[float, float]) -> tuple[int, ...]:
    """Layers whose relative depth l / layer_count lies in `band`; the nearest attention layer when none does."""
    low, high = band
    inside = tuple(layer for layer in attention_layers if low <= layer / layer_count <= high)
    middle = (low + high) / 2 * layer_count
    return inside or (min(attention_layers, key=lambda layer: abs(layer - middle)),)


def choose_layers(
    attention_layers: Sequence[int],
    layer_count: int,
    *,
    wanted: Sequence[int] | None,
    calibrated: Sequence[int] | None,
    band: tuple[float, float],
) -> tuple[int, ...]:
    """Prefer the user's layers, then the calibrated ones, then the depth band (with a warning).

    Raises:
        ConfigError: If a wanted layer has no attention map.
    """
    if wanted is not None:
        return _checked(wanted, attention_layers)
    if calibrated is not None:
        return _checked(calibrated, attention_layers)
    layers = depth_band_layers(attention_layers, layer_count, band)
    log.warning("this model is not calibrated: reading layers %s, the depth band %s; run `ego calibrate`", layers, band)
    return layers


def _checked(layers: Sequence[int], attention_layers: Sequence[int]) -> tuple[int, ...]:
    unknown = sorted(set(layers) - set(attention_layers))
    if unknown or not layers:
        raise ConfigError(f"layers {list(layers)} asked for, but attention layers are {list(attention_layers)}")
    return tuple(sorted(set(layers)))
