"""One picture of the whole demonstration: the concepts above, every scene below with what was found in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from PIL import Image, ImageDraw, ImageFont

from ego.demo.outcome import Outcome, Seen, Watched
from ego.demo.pictures import DemoClip, DemoConcept, DemoPictures, DemoScene
from ego.media import read_image
from ego.video import read_frames

Colour = tuple[int, int, int]

COLUMNS = 4
SIDE = 240  # pixels of a picture
GAP = 10  # pixels
LINE = 19  # pixels of a line of text
STRIP = 6 * LINE + 4  # pixels of the text below a picture: three concepts and three lines of caption
LETTERS = 34  # in a line
FRAMES = 8  # of a clip, of which one is shown
INK, RIGHT, WRONG, PAPER = (40, 40, 40), (20, 120, 50), (190, 30, 30), (255, 255, 255)
MOUNT = (238, 238, 238)  # around a picture that is not square


@dataclass(frozen=True)
class _Cell:
    """A picture (of a clip, the frame at a second) and the coloured lines below it."""

    picture: Path
    lines: tuple[tuple[str, Colour], ...]
    second: float | None = None


def contact_sheet(pictures: DemoPictures, outcome: Outcome) -> Image.Image:
    """Draw the sheet; right answers are green, wrong ones red, those that nobody can judge black."""
    above = [_concept_cell(pictures, concept) for concept in pictures.concepts]
    below = [_scene_cell(pictures, scene, outcome) for scene in pictures.scenes]
    below += [_clip_cell(pictures, clip, outcome) for clip in pictures.clips]
    first = -(-len(above) // COLUMNS)  # rows of concepts
    rows = first - (-len(below) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (SIDE + GAP) + GAP, rows * (SIDE + STRIP + GAP) + GAP), PAPER)
    for cells, offset in ((above, 0), (below, first)):
        for number, cell in enumerate(cells):
            row, column = offset + number // COLUMNS, number % COLUMNS
            _draw(sheet, cell, GAP + column * (SIDE + GAP), GAP + row * (SIDE + STRIP + GAP))
    return sheet


def _concept_cell(pictures: DemoPictures, concept: DemoConcept) -> _Cell:
    return _Cell(pictures.folder / concept.references[0], ((f"introduced: {concept.name}", INK),))


def _scene_cell(pictures: DemoPictures, scene: DemoScene, outcome: Outcome) -> _Cell:
    caption = next(one for one in outcome.captioned if one.scene == scene.file)
    seen = [one for one in outcome.seen if one.scene == scene.file]
    found = [
        (_found(one), _colour(None if one.likely else one.right)) for one in seen if one.found or one.right is False
    ]
    said = [(line, _colour(caption.right)) for line in wrap(caption.caption, LETTERS)]
    return _Cell(
        pictures.folder / scene.file,
        (*(found or [("none of them", _colour(scene.present is not None or None))]), *said),
    )


def _clip_cell(pictures: DemoPictures, clip: DemoClip, outcome: Outcome) -> _Cell:
    watched = [one for one in outcome.watched if one.clip == clip.file]
    found = [(_when(one), _colour(one.right)) for one in watched if one.found or not one.right]
    begin, end = next(iter(clip.present.values()), (0.0, 0.0))
    told = [(line, INK) for line in wrap(f"a clip: {clip.note}", LETTERS)]
    return _Cell(pictures.folder / clip.file, (*(found or [("none of them", RIGHT)]), *told), (begin + end) / 2)


def spoken(seconds: Sequence[float]) -> str:
    """Say at which seconds something was seen: the first and the last."""
    first, last = (f"{second:.1f}" for second in (min(seconds), max(seconds))) if seconds else ("", "")
    return f"{first} s" if first == last else f"{first} to {last} s"


def _when(one: Watched) -> str:
    return f"{one.concept}: at {spoken(one.seen_at)}" if one.found else f"{one.concept}: not seen"


def _found(one: Seen) -> str:
    return f"{one.concept}: {'yes' if one.found else 'no'} {one.probability:.2f}"


def _colour(right: bool | None) -> Colour:
    if right is None:
        return INK
    return RIGHT if right else WRONG


def _draw(sheet: Image.Image, cell: _Cell, left: int, top: int) -> None:
    picture = _picture(cell)
    picture.thumbnail((SIDE, SIDE))
    sheet.paste(MOUNT, (left, top, left + SIDE, top + SIDE))
    sheet.paste(picture, (left + (SIDE - picture.width) // 2, top + (SIDE - picture.height) // 2))
    draw, face = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for number, (text, colour) in enumerate(cell.lines[: STRIP // LINE]):
        draw.text((left, top + SIDE + 4 + number * LINE), text, fill=colour, font=face)


def _picture(cell: _Cell) -> Image.Image:
    second = cell.second
    if second is None:
        return read_image(cell.picture).picture
    frames = read_frames(cell.picture, FRAMES)
    return min(frames, key=lambda frame: abs((frame.seconds or 0.0) - second)).picture
