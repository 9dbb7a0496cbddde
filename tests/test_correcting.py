"""Corrections reach answers: of the picture, of the concept, of nobody else; and go again."""

from pathlib import Path

import pytest

from ego import Concept, ConceptStore, Ego
from ego.backbones import load_backbone
from ego.demo.pictures import shipped_pictures
from ego.errors import InputError, UnknownConceptError

PICTURES = shipped_pictures().folder
SCENES = [PICTURES / f"scene-{number:02d}.jpg" for number in range(1, 7)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corrected")
    personal = Ego(load_backbone("mini"), ConceptStore(folder))
    personal.introduce(Concept("Bo", [PICTURES / "bo-1.jpg"]))
    personal.introduce(Concept("Bag", [PICTURES / "zoes-bag-1.jpg"]))
    return folder


@pytest.fixture
def personal(made: Path) -> Ego:
    ego = Ego(load_backbone("mini"), ConceptStore(made))
    while ego.corrections.undo():
        pass
    return ego


def test_the_picture_is_answered_as_the_user_said_and_others_move_the_same_way(personal: Ego) -> None:
    before = personal.recognize_many(SCENES)
    answered = personal.correct("bo", SCENES[0], there=not before[0]["Bo"].present)
    assert (answered.present, answered.said) == (before[0]["Bo"].present, before[0]["Bo"].said)
    assert answered.probability == pytest.approx(before[0]["Bo"].probability, abs=1e-5)  # asked alone, not with others
    after = personal.recognize_many(SCENES)
    assert after[0]["Bo"].said == "told"
    assert after[0]["Bo"].present is not before[0]["Bo"].present
    moved = [later["Bo"].probability - earlier["Bo"].probability for later, earlier in zip(after, before, strict=True)]
    assert all(step > 0 for step in moved[1:]) or all(step < 0 for step in moved[1:])
    assert [one["Bag"] for one in after] == [one["Bag"] for one in before]
    assert personal.recognize_many(SCENES, corrected=False) == before
    personal.corrections.undo()
    assert personal.recognize_many(SCENES) == before


def test_a_correction_stays_with_a_renamed_concept_and_goes_with_a_forgotten_one(personal: Ego) -> None:
    personal.correct("Bo", SCENES[1], there=True)
    personal.store.rename("Bo", "Beau")
    assert personal.recognize(SCENES[1])["Beau"].said == "told"
    personal.store.rename("Beau", "Bo")
    personal.corrections.undo()


def test_what_cannot_be_corrected_is_said(personal: Ego) -> None:
    with pytest.raises(UnknownConceptError):
        personal.correct("Ted", SCENES[0], there=True)
    with pytest.raises(InputError, match="one frame"):
        personal.correct("Bo", SCENES[:2], there=True)


def test_where_gives_a_box_for_each_picture(personal: Ego) -> None:
    found = personal.where(SCENES[0], ["Bo"])
    assert list(found) == ["Bo"]
    (one,) = found["Bo"]
    left, top, right, bottom = one.box
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1
    assert len(personal.where(SCENES[:2])["Bag"]) == 2
