"""The demonstration: its pictures are complete and its counting is honest."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ego import Concept, Ego
from ego.backbones import load_backbone
from ego.demo.contact_sheet import contact_sheet
from ego.demo.outcome import Asked, Captioned, Outcome, Score, Seen, Watched, scores, spoken
from ego.demo.own_album import own_album
from ego.demo.pictures import own_pictures, shipped_pictures
from ego.demo.sheet import GAP, HEADING, MOST_LINES, TALLEST, WIDTH, Line, Panel, Section, draw_sheet
from ego.errors import ConceptNameError, InputError
from ego.media import read_image
from ego.video import read_frames

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


def panel(colour: str = "blue", *lines: Line) -> Panel:
    return Panel((Image.new("RGB", (200, 200), colour),), lines)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 12, 13])
def test_no_row_of_a_sheet_is_left_empty(count: int) -> None:
    sheet = np.asarray(draw_sheet([Section("Scenes", tuple(panel() for _ in range(count)), across=4)]))
    top, rows = GAP + HEADING, -(-count // 4)
    height = (sheet.shape[0] - top) // rows if count % 4 == 0 else None
    for row in range(rows if height else 1):
        line = sheet[top + row * (height or 0) + 5]
        assert (line != 255).any(-1).mean() > 0.9


def test_text_is_as_high_as_needed_and_never_cut_without_a_sign() -> None:
    short, long = (draw_sheet([Section("", (panel("blue", Line(text)),), 1)]) for text in ("a", "word " * 80))
    assert long.height > short.height
    endless = draw_sheet([Section("", (panel("blue", Line("word " * 800)),), 1)])
    assert endless.height - short.height <= MOST_LINES * 20
    assert endless.width == short.width == WIDTH


def test_right_and_wrong_are_told_apart_without_colours() -> None:
    right, wrong = (
        np.asarray(draw_sheet([Section("", (panel("blue", Line("Bo", right)),), 1)]).convert("L")) < 200
        for right in (True, False)
    )
    assert (right != wrong).any()


def test_the_contact_sheet_shows_each_thing_beside_its_heat() -> None:
    pictures = shipped_pictures()
    one = pictures.model_copy(update={"scenes": pictures.scenes[:1], "concepts": pictures.concepts[:1]})
    personal = Ego(load_backbone("mini"))
    memory = personal.introduce(Concept("Bo", [one.folder / one.concepts[0].references[0]]))
    outcome = outcome_of_one_scene(present=("Bo",))
    plain, sheet = contact_sheet(one, outcome), contact_sheet(one, outcome, {"Bo": memory})
    place = (WIDTH // 2, GAP + HEADING, WIDTH - GAP, GAP + HEADING + 300)
    assert len(set(sheet.crop(place).resize((8, 8)).getdata())) > 16  # the heat stands on the right
    assert len(set(plain.crop((WIDTH - 200, *place[1:])).getdata())) == 1  # without memories there is only the mount


# -- the clip


def test_the_clip_is_what_the_manifest_says() -> None:
    pictures = shipped_pictures()
    [clip] = pictures.clips
    assert clip.file in {path.name for path in pictures.folder.glob("*.mp4")}
    frames = read_frames(pictures.folder / clip.file, 8)
    [(begin, end)] = clip.present.values()
    yellow = {frame.seconds: _yellow(frame.picture) for frame in frames}
    assert {begin <= second < end for second in yellow} == {True, False}
    for second, share in yellow.items():
        assert (share > 0.04) == (begin <= second < end)


def _yellow(picture: Image.Image) -> float:
    """The share of the picture in Bo's colour."""
    pixels = np.asarray(picture.convert("RGB"), dtype=int)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return float(((red > 220) & (green > 150) & (green < 215) & (blue < 80)).mean())


@pytest.mark.parametrize(
    ("expected", "found", "seen_at", "right"),
    [
        ((3.0, 7.0), True, (3.5, 6.5), True),
        ((3.0, 7.0), True, (2.5, 3.5), False),
        ((3.0, 7.0), False, (), False),
        (None, False, (), True),
        (None, True, (1.0,), False),
    ],
)
def test_a_clip_is_right_if_the_seconds_are(
    expected: tuple[float, float] | None, found: bool, seen_at: tuple[float, ...], right: bool
) -> None:
    assert Watched("clip.mp4", "Bo", expected, found, 0.9, seen_at).right is right


def test_seconds_are_spoken_from_first_to_last() -> None:
    assert [spoken(seconds) for seconds in ((3.5,), (3.5, 4.5, 6.5))] == ["3.5 s", "3.5 to 6.5 s"]


# -- a folder per thing


def photo(path: Path, colour: str = "red", size: tuple[int, int] = (40, 20)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_one_photo_of_each_thing_introduces_it_and_the_others_are_asked(tmp_path: Path) -> None:
    for number in range(12):
        photo(tmp_path / f"my_dog/{number}.png")
    for name in ("cup/a.jpg", "cup/b.JPG", "lonely/1.jpg", "@eaDir/x/1.jpg", "@eaDir/x/2.jpg", ".hidden/1.jpg"):
        photo(tmp_path / name)
    (tmp_path / "cup/c.jpg").write_bytes(b"no picture")
    (tmp_path / "cup/notes.txt").touch()
    (tmp_path / "empty").mkdir()
    pictures = own_album(tmp_path)
    assert [(concept.name, Path(concept.references[0]).name) for concept in pictures.concepts] == [
        ("cup", "a.jpg"),
        ("my dog", "0.png"),
    ]
    asked = [(Path(scene.file).name, scene.present, scene.complete) for scene in pictures.scenes]
    assert asked[0] == ("b.JPG", ("cup",), False)
    assert [name for name, present, _ in asked if present == ("my dog",)] == ["2.png", "5.png", "7.png", "10.png"]
    said = " ".join(pictures.notes)
    assert "c.jpg" in said
    assert "lonely: only one photo" in said


def test_a_folder_without_things_is_refused(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    for folder in (tmp_path, tmp_path / "nowhere", tmp_path / "a.jpg"):
        with pytest.raises(InputError, match="one folder per thing"):
            own_album(folder)


def test_what_is_only_likely_is_counted_apart() -> None:
    seen = (
        Seen("b.jpg", "cup", expected=True, found=True, probability=0.9),
        Seen("b.jpg", "dog", expected=False, found=True, probability=0.8, likely=True),
    )
    captioned = (Captioned("b.jpg", "cup and dog", ("cup",), ("cup", "dog"), complete=False),)
    assert scores(Outcome(seen=seen, asked=(), captioned=captioned)) == (
        Score("concept is there: says yes", right=1, wrong=0),
        Score("photo of another thing: says no (unless it shows both)", right=0, wrong=1),
        Score("caption says its name only (unless it shows both)", right=0, wrong=1),
    )


def test_photos_of_any_shape_stand_in_the_middle_of_their_place(tmp_path: Path) -> None:
    for name in ("cup/a.jpg", "cup/b.jpg"):
        photo(tmp_path / name, "blue", (400, 100))
    pictures = own_album(tmp_path)
    caption = Captioned(pictures.scenes[0].file, "The cup.", ("cup",), ("cup",), complete=False)
    sheet = contact_sheet(pictures, Outcome(seen=(), asked=(), captioned=(caption,)))
    middle = (WIDTH // 2, GAP + HEADING + TALLEST // 2)
    red, green, blue = sheet.getpixel(middle)
    assert blue > 200 > red + green
    assert sheet.getpixel((middle[0], GAP + HEADING + 4)) == (238, 238, 238)
