import numpy as np
import pytest

from tests.training import world as drawn

colours = pytest.importorskip("colours")
from subjects import Cast, Subject  # noqa: E402
from world import Placement, group_layout, main_layout, render  # noqa: E402

CENTRE = Placement(0.5, 0.5, 0.6)


@pytest.fixture(scope="module")
def cast():
    return Cast(drawn.assets(), "train")


def test_pure_colours_get_their_names():
    pure = {
        "red": (220, 30, 30), "blue": (30, 60, 220), "green": (40, 170, 60), "yellow": (240, 220, 40),
        "white": (250, 250, 250), "black": (10, 10, 10), "grey": (120, 120, 120), "orange": (245, 140, 20),
        "brown": (110, 65, 25),
    }  # fmt: skip
    named = colours.name_pixels(np.array(list(pure.values()), np.uint8))
    assert [colours.COLOURS[index] for index in named] == list(pure)


def test_a_hue_variant_changes_colours_but_leaves_grey_alone():
    matrix = colours.variant_matrix(2, colourful=True)
    assert np.allclose(matrix @ [100, 100, 100], [100, 100, 100], atol=1e-3)
    assert np.abs(matrix @ [200, 40, 40] - [200, 40, 40]).max() > 100


def test_the_variant_of_a_red_disc_is_not_called_red(cast):
    disc = next(thing for thing, members in enumerate(cast.things) if members[0].family == "disc")
    named = [colours.COLOURS[int(cast.shares(Subject(disc, variant)).argmax())] for variant in (0, 2)]
    assert named[0] == "red"
    assert named[1] != "red"


def test_a_picture_is_the_same_for_the_same_seed(cast):
    subjects = [cast.random_subject(np.random.default_rng(3)) for _ in range(2)]
    layout = group_layout(np.random.default_rng(4), 2)
    first, second = (render(np.random.default_rng(5), cast, subjects, layout, side=96, grid=6) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.cover, second.cover)


def test_cover_measures_the_area_of_a_lone_box(cast):
    box = Subject(next(t for t, members in enumerate(cast.things) if members[0].identity == "box/0"), 0)
    shares = [
        render(np.random.default_rng(seed), cast, [box], [CENTRE], side=96, grid=6).cover.mean() for seed in range(20)
    ]
    assert np.median(shares) == pytest.approx(0.6**2, rel=0.15)


def test_what_stands_in_front_hides_what_stands_behind(cast):
    front, behind = Subject(0, 0), Subject(2, 0)
    picture = render(np.random.default_rng(0), cast, [front, behind], [CENTRE, CENTRE], side=96, grid=6)
    assert picture.visible[0] > 0.6
    assert picture.visible[1] < 0.5
    assert picture.cover.sum(0).max() <= 1.01


def test_an_empty_scene_is_only_background(cast):
    picture = render(np.random.default_rng(1), cast, [], [], side=96, grid=6)
    assert picture.cover.shape == (0, 6, 6)
    assert picture.pixels.shape == (96, 96, 3)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_subjects_of_a_group_have_room(number):
    layout = group_layout(np.random.default_rng(number), number)
    assert len(layout) == number
    assert all(0 <= place.x <= 1 and 0 <= place.y <= 1 for place in layout)


def test_the_main_subject_is_the_largest():
    for seed in range(20):
        first, *others = main_layout(np.random.default_rng(seed), 3)
        assert all(first.extent > other.extent for other in others)


def test_a_look_alike_is_somebody_else(cast):
    rng = np.random.default_rng(0)
    for _ in range(50):
        subject = cast.random_subject(rng)
        assert cast.look_alike(rng, subject) != subject
