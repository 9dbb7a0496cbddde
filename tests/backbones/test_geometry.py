"""Every visual token looks where it says: counts, and a spot painted into the image."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from ego.backbones.geometry import grid_boxes, grid_positions, single_grid
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.visual_tokens import VisualTokens
from tests.backbones import tiny

SIZES = [(160, 96), (96, 200), (64, 64), (333, 250)]
MANY = {"internvl3": 16 * 13, "qwen2_5_vl": 64, "gemma4": 140}
SPOTS = 6
CONVOLUTIONAL = {"FastVLM": 0.5}
"""Families whose cells see half of their neighbours, too."""
MIDDLE_ONLY = {"fast_vlm", "llava"}
"""Families whose image processor keeps the middle square of an image."""


def spotted(image: Image.Image, x: float, y: float, colour: tuple[int, int, int]) -> Image.Image:
    painted = image.copy()
    radius = max(2, min(image.size) // 14)
    centre = x * image.width, y * image.height
    box = [centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius]
    ImageDraw.Draw(painted).rectangle(box, fill=colour)
    return painted


def assert_spots_are_found(backbone: HuggingFaceBackbone, size: tuple[int, int]) -> None:
    image = tiny.picture(*size)
    plain = backbone.encode_image(image)
    chance = np.random.default_rng(0)
    for _ in range(SPOTS):
        x, y = chance.uniform(*_inside(plain))
        colour = (255, 0, 255) if chance.random() > 0.5 else (0, 255, 0)
        moved = (backbone.encode_image(spotted(image, x, y, colour)).rows - plain.rows).norm(dim=1)
        for view in ({0}, set(plain.view.tolist()) - {0}):
            assert_inside(plain, moved, view, (x, y), size, CONVOLUTIONAL.get(backbone.card.family, 0.0))


def _inside(tokens: VisualTokens) -> tuple[torch.Tensor, torch.Tensor]:
    """The rectangle in which spots are painted: what the image processor keeps of the image, without its edges."""
    assert tokens.boxes is not None
    x0, y0, x1, y1 = (*tokens.boxes.amin(0)[:2], *tokens.boxes.amax(0)[2:])
    edge = 0.08 * torch.stack([x1 - x0, y1 - y0])
    return torch.stack([x0, y0]) + edge, torch.stack([x1, y1]) - edge


def assert_inside(
    tokens: VisualTokens,
    moved: torch.Tensor,
    views: set[int],
    spot: tuple[float, float],
    size: tuple[int, int],
    blur: float = 0.0,
) -> None:
    here = tokens.spatial & torch.isin(tokens.view, torch.tensor(sorted(views), dtype=torch.long))
    if not here.any():
        return
    assert tokens.boxes is not None
    x0, y0, x1, y1 = tokens.boxes[int(torch.where(here, moved, -1.0).argmax())].tolist()
    slack = max(2, min(size) // 14) + 1
    across, down = slack / size[0] + blur * (x1 - x0), slack / size[1] + blur * (y1 - y0)
    assert x0 - across <= spot[0] <= x1 + across
    assert y0 - down <= spot[1] <= y1 + down


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_painted_spot_moves_the_token_that_looks_there(backbone: HuggingFaceBackbone, size: tuple[int, int]) -> None:
    assert_spots_are_found(backbone, size)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("family", MANY)
def test_a_painted_spot_with_more_tokens_per_image(
    load: Callable[..., HuggingFaceBackbone], family: str, size: tuple[int, int]
) -> None:
    assert_spots_are_found(load(family, max_visual_tokens=MANY[family]), size)


def test_one_view_covers_once_what_the_model_sees_of_the_image(backbone: HuggingFaceBackbone, family: str) -> None:
    for size in SIZES:
        tokens = backbone.encode_image(tiny.picture(*size))
        assert tokens.boxes is not None
        boxes = tokens.boxes[tokens.covering]
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        seen = min(size) / max(size) if family in MIDDLE_ONLY else 1.0
        assert float(areas.sum()) == pytest.approx(seen, abs=1e-4)
        assert bool((boxes >= 0).all())
        assert bool((boxes <= 1).all())


def test_boxes_come_in_raster_order(backbone: HuggingFaceBackbone) -> None:
    tokens = backbone.encode_image(tiny.picture(96, 200))
    assert tokens.boxes is not None
    places = [(round(y0, 4), round(x0, 4)) for x0, y0, _, _ in tokens.boxes[tokens.covering].tolist()]
    assert places == sorted(places)


def test_tiles_are_numbered_and_the_thumbnail_comes_last(load: Callable[..., HuggingFaceBackbone]) -> None:
    tokens = load("internvl3", max_visual_tokens=MANY["internvl3"]).encode_image(tiny.picture(224, 112))
    views = tokens.view.tolist()
    assert views[-16:] == [0] * 16
    assert views[:16] == [1] * 16
    assert len(tokens) == 16 * (max(views) + 1)


def test_newlines_have_no_place(load: Callable[..., HuggingFaceBackbone]) -> None:
    image = tiny.picture(160, 96)
    single = load("llava_onevision").encode_image(image)
    assert (len(single), bool(single.spatial[-1])) == (17, False)
    many = load("llava_next").encode_image(image)
    rows = int((~many.spatial).sum())
    columns = (len(many) - 16) // rows - 1
    assert len(many) == 16 + rows * (columns + 1)
    assert not many.spatial[16 + columns :: columns + 1].any()


def test_padding_has_no_place(load: Callable[..., HuggingFaceBackbone]) -> None:
    tokens = load("llava_onevision").encode_image(tiny.picture(200, 50))  # padded to 200 x 200: rows 1 and 4 are empty
    assert tokens.spatial.tolist() == [False] * 4 + [True] * 8 + [False] * 5


def test_the_grid_of_three_axis_models_follows_the_image(load: Callable[..., HuggingFaceBackbone]) -> None:
    tokens = load("qwen2_5_vl").encode_image(tiny.picture(168, 84))
    assert tokens.grid == (3, 6)
    assert tokens.grid_position is not None
    assert tokens.grid_position.tolist() == [[row, col] for row in range(3) for col in range(6)]


def test_a_single_grid_follows_the_settings_of_the_image_processor() -> None:
    stretched = SimpleNamespace(do_center_crop=False, size=SimpleNamespace(shortest_edge=None))
    padded = SimpleNamespace(do_pad=True)
    cropped = SimpleNamespace(
        do_center_crop=True, size=SimpleNamespace(shortest_edge=50), crop_size={"height": 40, "width": 40}
    )
    found = [single_grid(None, kind, (200, 100), {}, 16) for kind in (stretched, padded, cropped)]
    assert [layout.boxes[0].tolist() for layout in found if layout] == [
        pytest.approx([0.0, 0.0, 0.25, 0.25]),
        pytest.approx([0.0, 0.0, 0.25, 0.0]),  # padding only
        pytest.approx([0.3, 0.1, 0.4, 0.3]),
    ]
    assert [int(layout.spatial.sum()) for layout in found if layout] == [16, 8, 16]


def test_grids() -> None:
    assert grid_boxes(1, 2).tolist() == [[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]]
    assert grid_positions(2, 1).tolist() == [[0, 0], [1, 0]]
