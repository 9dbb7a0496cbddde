"""Which decoder layers are read."""

import logging

import pytest

from ego.errors import ConfigError
from ego.layers import choose_layers, depth_band_layers

BAND = (0.60, 0.82)


def choose(wanted: tuple[int, ...] | None = None, calibrated: tuple[int, ...] | None = None) -> tuple[int, ...]:
    return choose_layers(range(10), 10, wanted=wanted, calibrated=calibrated, band=BAND)


def test_the_band_holds_the_published_layers_of_a_48_layer_model() -> None:
    assert set(depth_band_layers(range(48), 48, BAND)) >= {29, 30, 35, 36, 39}


def test_a_hybrid_without_attention_in_the_band_uses_the_nearest_layer() -> None:
    assert depth_band_layers([3], 8, BAND) == (3,)
    assert depth_band_layers([1, 7], 8, (0.6, 0.62)) == (7,)


def test_the_users_layers_win_over_the_calibrated_ones() -> None:
    assert choose(wanted=(4, 2, 4), calibrated=(7,)) == (2, 4)
    assert choose(calibrated=(7,)) == (7,)


def test_an_uncalibrated_model_uses_the_band_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert choose() == (6, 7, 8)
    assert "not calibrated" in caplog.text


@pytest.mark.parametrize("wanted", [(), (3, 12)])
def test_layers_without_an_attention_map_are_refused(wanted: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="attention layers are"):
        choose(wanted=wanted)
