"""Selecting and joining visual tokens."""

from dataclasses import replace

import torch

from ego.visual_tokens import VisualTokens, concatenate


def tokens() -> VisualTokens:
    return VisualTokens(
        rows=torch.arange(8.0).reshape(4, 2),
        deepstack=torch.arange(16.0).reshape(2, 4, 2),
        boxes=torch.arange(16.0).reshape(4, 4) / 16,
        view=torch.tensor([0, 0, 1, 1]),
        spatial=torch.tensor([True, True, True, False]),
        grid_position=torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]),
        grid=(2, 2),
    )


def test_selecting_takes_everything_along_and_copies() -> None:
    whole = tokens()
    kept = whole.select(torch.tensor([1, 3]))
    assert len(kept) == 2
    assert kept.rows.tolist() == [[2, 3], [6, 7]]
    assert kept.deepstack[1].tolist() == [[10, 11], [14, 15]]
    assert kept.boxes is not None
    assert kept.boxes[0].tolist() == [0.25, 0.3125, 0.375, 0.4375]
    assert kept.spatial.tolist() == [True, False]
    assert kept.grid_position is not None
    assert kept.grid_position.tolist() == [[0, 1], [1, 1]]
    whole.rows.zero_()
    assert kept.rows.sum() == 18


def test_selecting_without_geometry() -> None:
    kept = replace(tokens(), boxes=None, grid_position=None, grid=None).select(torch.tensor([0]))
    assert kept.boxes is None
    assert kept.grid_position is None


def test_joining_views_drops_the_grid() -> None:
    joined = concatenate([tokens(), tokens()])
    assert len(joined) == 8
    assert joined.deepstack.shape == (2, 8, 2)
    assert joined.grid is None
    assert joined.grid_position is None
    assert joined.boxes is not None


def test_one_view_stays_as_it_is_and_unknown_boxes_stay_unknown() -> None:
    one = tokens()
    assert concatenate([one]) is one
    assert concatenate([one, replace(one, boxes=None)]).boxes is None


def test_moving_changes_features_only() -> None:
    moved = tokens().to(torch.float16)
    assert (moved.rows.dtype, moved.deepstack.dtype) == (torch.float16, torch.float16)
    assert moved.view.dtype == torch.int64


def test_tiles_cover_the_image_once_and_the_whole_view_only_without_them() -> None:
    two_views = tokens()
    assert two_views.covering.tolist() == [False, False, True, False]
    assert replace(two_views, view=torch.zeros(4, dtype=torch.long)).covering.tolist() == [True, True, True, False]


def test_raster_order_goes_by_place_and_without_places_by_index() -> None:
    corners = torch.tensor([[0.5, 0.5, 1, 1], [0, 0.5, 0.5, 1], [0.5, 0, 1, 0.5], [0, 0, 0.5, 0.5]])
    placed = replace(tokens(), boxes=corners)
    assert placed.in_raster_order(torch.tensor([0, 1, 2, 3])).tolist() == [3, 2, 1, 0]
    assert replace(placed, boxes=None).in_raster_order(torch.tensor([2, 0])).tolist() == [0, 2]


def test_positions_are_on_the_cpu_wherever_the_rows_are() -> None:
    elsewhere = tokens().to(torch.device("meta"))
    kept = elsewhere.select(torch.tensor([1, 3]))
    assert kept.rows.shape == (2, 2)
    assert (kept.rows.device.type, kept.view.device.type) == ("meta", "cpu")
