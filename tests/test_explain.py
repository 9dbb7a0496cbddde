"""The heat-map picture."""

import numpy as np
import pytest
from PIL import Image

from ego.errors import InputError
from ego.explain import heatmap
from ego.heat_picture import colours
from tests.examples_of_memories import RECORD, memory_of

GREY = Image.new("RGB", (40, 20), (128, 128, 128))


def test_important_tokens_are_light_and_kept_tokens_outlined() -> None:
    sheet = np.asarray(heatmap(memory_of("cup"), GREY)).astype(int)
    pixels, legend = sheet[:384], sheet[384:]
    assert sheet.shape[1] == 768
    assert legend.shape[0] > 24
    assert legend.min() < 100  # words
    hot, warm, cold = pixels[96, 576], pixels[288, 576], pixels[96, 192]  # tokens 1, 3 and 0
    assert hot[0] > warm[0] > hot[2]
    assert hot.sum() > warm.sum()  # lightness rises with heat
    assert cold.tolist() == [128, 128, 128]  # not looked at: the grey of the picture
    assert pixels[1, 576].tolist() == [255, 255, 255]  # outline of token 1
    assert pixels[1, 192].tolist() == [128, 128, 128]  # token 0 is not kept


def test_colours_rise_in_lightness_all_the_way() -> None:
    lightness = colours(np.linspace(0, 1, 50)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > 0).all()


def test_a_large_picture_is_drawn_smaller() -> None:
    memory = memory_of("cup")
    record = RECORD.model_copy(update={"size": (4000, 2000)})
    object.__setattr__(memory, "views", (record,))
    width, height = heatmap(memory, Image.new("RGB", (4000, 2000))).size
    assert width == 768
    assert 384 < height < 500


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
