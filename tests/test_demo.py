"""The demonstration: its pictures are complete and its counting is honest."""

from pathlib import Path

import pytest
from PIL import Image

from ego.demo.contact_sheet import COLUMNS, contact_sheet
from ego.demo.outcome import Asked, Captioned, Outcome, Score, Seen, scores
from ego.demo.pictures import own_pictures, shipped_pictures
from ego.errors import ConceptNameError, InputError
from ego.media import read_image

MOST_BYTES = 1_000_000


def test_three_concepts_and_a_dozen_scenes_ship() -> None:
    pictures = shipped_pictures()
    assert len(pictures.concepts) == 3
    assert len(pictures.scenes) == 12
    assert all(len(concept.references) >= 2 for concept in pictures.concepts)


def test_every_picture_of_the_manifest_is_there_and_no_other() -> None:
    pictures = shipped_pictures()
    named = [file for concept in pictures.concepts for file in concept.references]
    named += [scene.file for scene in pictures.scenes]
    assert sorted(named) == sorted(path.name for path in pictures.folder.glob("*.jpg"))
    for file in named:
        assert min(read_image(pictures.folder / file).picture.size) >= 192


def test_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in shipped_pictures().folder.iterdir()) < MOST_BYTES


def test_every_concept_is_sometimes_there_and_sometimes_not() -> None:
    pictures = shipped_pictures()
    names = {concept.name for concept in pictures.concepts}
    for name in names:
        there = sum(name in (scene.present or ()) for scene in pictures.scenes)
        assert 3 <= there <= len(pictures.scenes) - 3
    assert {name for scene in pictures.scenes for name in scene.present or ()} == names


def test_questions_are_about_concepts_that_are_there() -> None:
    for scene in shipped_pictures().scenes:
        for question in scene.questions:
            about = [concept.name for concept in shipped_pictures().concepts if concept.name in question.question]
            assert set(about) <= set(scene.present or ())


def test_own_photos_make_a_demonstration_without_truth(tmp_path: Path) -> None:
    pictures = own_pictures("Rex", [tmp_path / "a.jpg"], [tmp_path / "b.jpg"])
    assert pictures.concepts[0].name == "Rex"
    assert pictures.scenes[0].present is None


def test_own_photos_need_a_name_a_photo_and_a_test(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--photo"):
        own_pictures("Rex", [], [tmp_path / "b.jpg"])
    with pytest.raises(InputError, match="--test"):
        own_pictures("Rex", [tmp_path / "a.jpg"], [])
    with pytest.raises(ConceptNameError):
        own_pictures(" ", [tmp_path / "a.jpg"], [tmp_path / "b.jpg"])


def outcome_of_one_scene(*, present: tuple[str, ...] | None) -> Outcome:
    """Bo and a teapot are asked about in scene-01; only Bo is found."""
    expected = {name: None if present is None else name in present for name in ("Bo", "Pot")}
    return Outcome(
        seen=(
            Seen("scene-01.jpg", "Bo", expected["Bo"], found=True, probability=0.9),
            Seen("scene-01.jpg", "Pot", expected["Pot"], found=False, probability=0.2),
        ),
        asked=(Asked("scene-01.jpg", "Which side is Bo on?", "left", "right", right=False),),
        captioned=(Captioned("scene-01.jpg", "Bo runs.", present, ("Bo",)),),
    )


def test_right_and_wrong_are_counted() -> None:
    assert scores(outcome_of_one_scene(present=("Bo",))) == (
        Score("concept is there: says yes", right=1, wrong=0),
        Score("concept is not there: says no", right=1, wrong=0),
        Score("question answered", right=0, wrong=1),
        Score("caption says exactly the names", right=1, wrong=0),
    )


def test_a_missed_and_an_invented_concept_are_wrong() -> None:
    assert scores(outcome_of_one_scene(present=("Pot",)))[:2] == (
        Score("concept is there: says yes", right=0, wrong=1),
        Score("concept is not there: says no", right=0, wrong=1),
    )
    assert scores(outcome_of_one_scene(present=("Pot",)))[-1].wrong == 1


def test_what_nobody_knows_is_not_counted() -> None:
    unknown = outcome_of_one_scene(present=None)
    assert [score.what for score in scores(unknown)] == ["question answered"]


def test_the_contact_sheet_has_a_place_for_everything() -> None:
    pictures = shipped_pictures()
    one = pictures.model_copy(update={"scenes": pictures.scenes[:1]})
    sheet = contact_sheet(one, outcome_of_one_scene(present=("Bo",)))
    rows = 2  # concepts above, the scene below
    assert sheet.width == COLUMNS * 250 + 10
    assert sheet.height == rows * (240 + 118 + 10) + 10
    reference = Image.open(one.folder / one.concepts[0].references[0]).resize((240, 240))
    drawn = sheet.crop((10, 10, 250, 250))
    difference = [
        abs(a - b) for a, b in zip(drawn.resize((1, 1)).tobytes(), reference.resize((1, 1)).tobytes(), strict=True)
    ]
    assert max(difference) <= 6
