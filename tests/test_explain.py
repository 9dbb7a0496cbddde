"""The heat-map picture."""

import numpy as np
import pytest
from PIL import Image

from ego.errors import InputError
from ego.explain import heatmap
from tests.examples_of_memories import RECORD, memory_of

GREY = Image.new("RGB", (40, 20), (128, 128, 128))


def test_important_tokens_are_warm_and_kept_tokens_outlined() -> None:
    pixels = np.asarray(heatmap(memory_of("cup"), GREY)).astype(int)
    height, width = pixels.shape[:2]
    assert (width, height) == (80, 40)
    red_minus_blue = pixels[..., 0] - pixels[..., 2]
    assert red_minus_blue[10, 60] > 100  # token 1, the most important
    assert 0 < red_minus_blue[30, 60] < red_minus_blue[10, 60]  # token 3, half as important
    assert red_minus_blue[10, 20] == 0  # token 0, not at all
    assert pixels[0, 60].tolist() == [255, 255, 255]  # outline of token 1
    assert pixels[0, 20].tolist() != [255, 255, 255]  # token 0 is not kept


def test_a_large_picture_is_drawn_smaller() -> None:
    memory = memory_of("cup")
    record = RECORD.model_copy(update={"size": (4000, 2000)})
    object.__setattr__(memory, "views", (record,))
    assert heatmap(memory, Image.new("RGB", (4000, 2000))).size == (768, 384)


@pytest.mark.parametrize(
    ("view", "size", "message"),
    [(1, (40, 20), "has 1 views"), (-1, (40, 20), "has 1 views"), (0, (20, 40), "this one is")],
)
def test_another_view_or_picture_is_refused(view: int, size: tuple[int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        heatmap(memory_of("cup"), Image.new("RGB", size), view=view)


def test_a_family_of_unknown_geometry_has_no_heat_map() -> None:
    memory = memory_of("cup")
    object.__setattr__(memory, "views", (RECORD.model_copy(update={"boxes": ()}),))
    with pytest.raises(InputError, match="no known token geometry"):
        heatmap(memory, GREY)


def test_tokens_thinner_than_a_pixel_are_drawn() -> None:
    memory = memory_of("cup")
    object.__setattr__(memory, "views", (RECORD.model_copy(update={"size": (1200, 1)}),))
    assert heatmap(memory, Image.new("RGB", (1200, 1))).size[0] == 768
