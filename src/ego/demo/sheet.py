"""Sections of panels -> one picture without gaps: rows fill the width, strips of text are as high as needed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

WIDTH = 1020  # pixels of a sheet
GAP = 12  # pixels between panels
TALLEST = 340  # pixels of a picture in a row of few
LINE, HEADING = 19, 30  # pixels of a line of text
MOST_LINES = 7  # of text below a picture
INK, RIGHT, WRONG, PAPER = (40, 40, 40), (20, 110, 50), (185, 30, 30), (255, 255, 255)
MOUNT = (238, 238, 238)  # around a picture that is not square


@dataclass(frozen=True)
class Line:
    """A line of text: right and wrong are told by a mark before it, too, for those who see no red."""

    text: str
    right: bool | None = None
    begins: bool = True  # the rest of a wrapped line stands below it without a mark


@dataclass(frozen=True, eq=False)
class Panel:
    """Pictures side by side, and what is said below them."""

    pictures: tuple[Image.Image, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, eq=False)
class Section:
    """Panels under a heading.

    Attributes:
        heading: What they show.
        panels: The panels.
        across: Most of them in a row; rows are filled evenly.
    """

    heading: str
    panels: tuple[Panel, ...]
    across: int


def draw_sheet(sections: Sequence[Section]) -> Image.Image:
    """Draw sections one below the other; empty ones are left out."""
    strips = [strip for section in sections if section.panels for strip in _strips(section)]
    sheet = Image.new("RGB", (WIDTH, GAP + sum(strip.height for strip in strips)), PAPER)
    top = GAP
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def _strips(section: Section) -> list[Image.Image]:
    heading = Image.new("RGB", (WIDTH, HEADING), PAPER)
    ImageDraw.Draw(heading).text((GAP, 2), section.heading, fill=INK, font=_font(19))
    return [heading, *(_row(row) for row in _rows(section.panels, section.across))]


def _rows(panels: Sequence[Panel], across: int) -> list[Sequence[Panel]]:
    """Share panels out evenly, so that no row is left nearly empty."""
    count = -(-len(panels) // across)
    ends = [round(len(panels) * (number + 1) / count) for number in range(count)]
    return [panels[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _row(panels: Sequence[Panel]) -> Image.Image:
    width = (WIDTH - GAP) // len(panels) - GAP
    texts = [_fitted(panel.lines, width) for panel in panels]
    side = max(min(TALLEST, width // len(panel.pictures)) for panel in panels)
    row = Image.new("RGB", (WIDTH, side + 4 + LINE * max(map(len, texts)) + GAP), PAPER)
    for number, (panel, lines) in enumerate(zip(panels, texts, strict=True)):
        _draw(row, panel, lines, left=GAP + number * (width + GAP), size=(width, side))
    return row


def _draw(row: Image.Image, panel: Panel, lines: Sequence[Line], *, left: int, size: tuple[int, int]) -> None:
    width, side = size
    row.paste(MOUNT, (left, 0, left + width, side))
    place = width / len(panel.pictures)
    for number, original in enumerate(panel.pictures):
        picture = original.copy()
        picture.thumbnail((round(place), side), Image.Resampling.LANCZOS)
        row.paste(picture, (left + round(number * place + (place - picture.width) / 2), (side - picture.height) // 2))
    draw = ImageDraw.Draw(row)
    for number, line in enumerate(lines):
        _say(draw, line, left, side + 4 + number * LINE)


def _say(draw: ImageDraw.ImageDraw, line: Line, left: int, top: int) -> None:
    colour = INK if line.right is None else RIGHT if line.right else WRONG
    if line.right is not None and line.begins:
        tick, cross = ((0, 5), (3, 9), (9, 0)), ((0, 0), (8, 8), (4, 4), (8, 0), (0, 8))
        draw.line([(left + x, top + 4 + y) for x, y in (tick if line.right else cross)], fill=colour, width=2)
    draw.text((left + _indent(line), top), line.text, fill=colour, font=_font(14))


def _fitted(lines: Sequence[Line], width: int) -> list[Line]:
    """Wrap lines to a width; the last that has room ends in an ellipsis if there is more."""
    fitted = [
        Line(part, line.right, begins=number == 0)
        for line in lines
        for number, part in enumerate(_wrapped(line.text, width - _indent(line)))
    ]
    if len(fitted) <= MOST_LINES:
        return fitted
    last = fitted[MOST_LINES - 1]
    return [*fitted[: MOST_LINES - 1], replace(last, text=f"{last.text} …")]


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and _font(14).getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _indent(line: Line) -> int:
    return 0 if line.right is None else 14


@lru_cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size)
