"""Masks and boxes on the token grid."""

import numpy as np
import pytest
import torch

from ego.concept import Region
from ego.errors import InputError
from ego.regions import region_mask, token_coverage

QUARTERS = torch.tensor([[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]])


def test_coverage_counts_pixels_of_each_token() -> None:
    mask = np.zeros((4, 8), dtype=bool)
    mask[:2, :4] = True  # the whole first quarter
    mask[3, 4:] = True  # half of the last
    assert token_coverage(QUARTERS, mask).tolist() == [1.0, 0.0, 0.0, 0.5]


def test_tokens_smaller_than_a_pixel_still_see_one() -> None:
    boxes = torch.tensor([[0.0, 0.0, 0.1, 0.1], [0.9, 0.9, 1.0, 1.0]])
    assert token_coverage(boxes, np.array([[True, False], [False, False]])).tolist() == [1.0, 0.0]


def test_a_box_becomes_a_mask() -> None:
    mask = region_mask(Region(box=(2, 1, 4.2, 3)), (4, 3))
    assert mask.tolist() == [[False] * 4, [False, False, True, True], [False, False, True, True]]


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (Region(), "either a box or a mask"),
        (Region(box=(0, 0, 1, 1), mask=np.ones((3, 4))), "either a box or a mask"),
        (Region(box=(4, 0, 9, 9)), "reaches outside the 4x3 picture"),
        (Region(box=(-1, 0, 2, 2)), "reaches outside"),
        (Region(box=(1, 1, 1, 2)), "covers nothing"),
        (Region(box=(0, 0, 1, 1), space="stored"), "as displayed"),
        (Region(box=(2, 2, 1, 1)), "covers nothing"),
        (Region(box=(0, 0, float("inf"), 1)), "no four finite numbers"),
        (Region(box=(float("nan"), 0, 1, 1)), "no four finite numbers"),
        (Region(mask=np.ones((4, 3))), "has shape"),
        (Region(mask=np.zeros((3, 4))), "covers nothing"),
    ],
)
def test_regions_that_cannot_be_used(region: Region, message: str) -> None:
    with pytest.raises(InputError, match=message):
        region_mask(region, (4, 3))


@pytest.mark.parametrize(
    "box", [(1, 2, 3), "1,2,3,4", "abcd", (1, 2, 3, None), ((1, 2), (3, 4)), 7, (0, 0, 1, 10**400)]
)
def test_boxes_that_are_no_four_numbers(box: object) -> None:
    region = Region(box=(0, 0, 1, 1))
    object.__setattr__(region, "box", box)  # types are checked in tests only; a user's are not
    with pytest.raises(InputError, match="is no four finite numbers; give left, top, right, bottom in pixels"):
        region_mask(region, (4, 3))


@pytest.mark.parametrize("mask", ["mask.png", b"", [[1], [1, 2]], {"a": 1}, np.ones((3, 4, 3)), np.full((3, 4), "x")])
def test_masks_that_are_no_rows_and_columns(mask: object) -> None:
    with pytest.raises(InputError, match=r"a mask cannot be taken from .*read_mask"):
        region_mask(Region(mask=mask), (4, 3))


def test_what_is_no_number_marks_nothing() -> None:
    disc = np.zeros((3, 4), dtype=bool)
    disc[1, 2] = True
    for written in (disc, disc.tolist(), disc * 7, np.where(disc, 1.0, np.nan), torch.from_numpy(disc)):
        assert (region_mask(Region(mask=written), (4, 3)) == disc).all()
