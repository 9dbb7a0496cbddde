"""What was seen in a video, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ego import Concept, Ego, load_backbone
from ego.answer import Recognition, not_asked
from ego.demo.pictures import shipped_pictures
from ego.media import Frame
from ego.watching import groups, over_time

PICTURE = Image.new("RGB", (8, 8))


def frames(count: int) -> list[Frame]:
    return [Frame(PICTURE, float(number)) for number in range(count)]


def found(probability: float) -> Recognition:
    return Recognition("Bo", probability >= 0.5, probability, 0.5, "yes" if probability >= 0.5 else "no")


@given(st.integers(0, 300), st.integers(1, 20))
def test_groups_are_neighbours_none_larger_than_asked_for(count: int, together: int) -> None:
    all_frames = frames(count)
    cut = groups(all_frames, together)
    assert [frame for group in cut for frame in group] == all_frames
    assert all(1 <= len(group) <= together for group in cut)
    assert not cut or max(map(len, cut)) - min(map(len, cut)) <= 1


def test_the_surest_frame_counts_and_all_moments_are_told() -> None:
    watched = groups(frames(4), 1)
    seen = over_time([{"Bo": found(value)} for value in (0.1, 0.9, 0.2, 0.6)], watched)
    assert seen["Bo"].present
    assert seen["Bo"].probability == 0.9
    assert seen["Bo"].seen_at == (1.0, 3.0)


def test_nothing_seen_and_nothing_timed() -> None:
    assert over_time([{"Bo": found(0.2)}], [frames(1)])["Bo"].seen_at == ()
    assert over_time([{"Bo": found(0.8)}], [[Frame(PICTURE)]])["Bo"].seen_at == ()


def test_a_concept_left_out_of_some_groups_is_judged_by_the_others() -> None:
    watched = groups(frames(2), 1)
    some = over_time([{"Bo": not_asked("Bo", 0.5)}, {"Bo": found(0.3)}], watched)
    assert some["Bo"].said == "no"
    none = over_time([{"Bo": not_asked("Bo", 0.5)}] * 2, watched)
    assert none["Bo"].said == "not asked"


def test_no_groups() -> None:
    assert over_time([], []) == {}
    assert groups([], 3) == []


def test_equal_frames_of_an_introduction_photo_count_as_one_of_them() -> None:
    """With the embedded model; shown together, ten of them take its answer from 0.98 to 0.01."""
    photo = shipped_pictures().folder / "bo-1.jpg"
    personal = Ego(load_backbone("mini"))
    personal.introduce(Concept("Bo", [photo]))
    alone = personal.recognize(photo)["Bo"].probability
    with Image.open(photo) as picture:
        many = personal.recognize([picture] * 3)["Bo"].probability
    assert many == pytest.approx(alone, abs=1e-3)
    assert alone > 0.5
