"""Heat to box: islands, neighbours, boxes of tilings; and the whole way on a real model."""

import pytest
import torch
from PIL import Image

from ego import Concept, Ego
from ego.backbones.base import Backbone
from ego.pointing import box_around, overlap, point
from ego.prompt import query_prompt, recognition_question


def grid(side: int) -> torch.Tensor:
    """Boxes of side x side tokens, raster order."""
    edges = torch.arange(side) / side
    rows = [(left, top, left + 1 / side, top + 1 / side) for top in edges.tolist() for left in edges.tolist()]
    return torch.tensor(rows)


def test_a_box_holds_the_warm_tokens_around_the_hottest() -> None:
    heat = torch.tensor([[0, 0, 0, 0], [0, 5, 9, 0], [0, 0, 3, 0], [0, 0, 0, 0.0]]).flatten()
    assert box_around(grid(4), heat, warm=0.3) == pytest.approx((0.25, 0.25, 0.75, 0.75))
    assert box_around(grid(4), heat, warm=0.5) == pytest.approx((0.25, 0.25, 0.75, 0.5))
    assert box_around(grid(4), heat, warm=0.9) == pytest.approx((0.5, 0.25, 0.75, 0.5))


def test_warm_tokens_far_away_do_not_count_and_corners_do() -> None:
    heat = torch.tensor([[9, 0, 0, 0], [0, 8, 0, 0], [0, 0, 0, 0], [0, 0, 0, 8.0]]).flatten()
    assert box_around(grid(4), heat, warm=0.5) == pytest.approx((0, 0, 0.5, 0.5))


def test_no_heat_at_all_still_gives_a_box() -> None:
    assert box_around(grid(2), torch.zeros(4)) == pytest.approx((0, 0, 1, 1))


@pytest.mark.parametrize(
    ("other", "expected"),
    [((0, 0, 1, 1), 0.25), ((0.5, 0.5, 1, 1), 0.0), ((0, 0, 0.5, 0.5), 1.0), ((0.25, 0, 0.75, 0.5), 1 / 3)],
)
def test_overlap(other: tuple[float, ...], expected: float) -> None:
    assert overlap((0, 0, 0.5, 0.5), other) == pytest.approx(expected)


def test_pointing_on_a_real_model(tiny_backbone: Backbone) -> None:
    personal = Ego(tiny_backbone)
    picture = Image.radial_gradient("L").convert("RGB")
    memory = personal.build(Concept("Bo", [picture], keywords="a grey disc"))
    tokens = [tiny_backbone.encode_image(picture), tiny_backbone.encode_image(picture.rotate(90))]
    prompt = query_prompt([memory], tokens, recognition_question("Bo"))
    found = point(tiny_backbone, prompt, "Bo", layers=tiny_backbone.card.attention_layers)
    assert len(found) == 2
    for one in found:
        assert max(one.heat) == 1.0
        assert len(one.heat) == len(one.boxes) == len(tokens[0])
        left, top, right, bottom = one.box
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        assert left <= one.peak[0] <= right
