"""A picture and the heat of its tokens -> a drawing that can be read on any subject and by colour-blind people.

The picture turns grey, so that every colour is heat; the scale runs from dark violet over orange to light yellow, whose
lightness rises all the way (anchors of matplotlib's "inferno", released as CC0).
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

LONGEST_SIDE = 768  # pixels of the drawing
_SCALE = np.array(
    [(40, 11, 84), (101, 21, 110), (159, 42, 99), (212, 72, 66), (245, 125, 21), (250, 193, 39), (252, 255, 164)]
)
_OPACITY = 0.8  # of the hottest token
_BRIGHTEST = 98  # percentile that counts as hottest, so that one sink does not hide the rest
_INK, _PAPER = (24, 24, 24), (250, 250, 250)
_LINE = 24  # pixels
Box = tuple[float, float, float, float]
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_heat(
    picture: Image.Image,
    boxes: Sequence[Box],
    heat: Sequence[float],
    *,
    outlined: Sequence[Box] = (),
    title: str = "",
    note: str = "",
    legend: bool = True,
) -> Image.Image:
    """Draw heat over a picture, with a legend below.

    Args:
        picture: Upright RGB image.
        boxes: What each token looks at, fractions left top right bottom.
        heat: How much, one number for each.
        outlined: Boxes to be outlined in white.
        title: First line below the picture.
        note: Second line, in full; long ones are wrapped.
        legend: Whether title, note and the scale of colours stand below the picture.
    """
    canvas = _scaled(picture)
    tinted = Image.fromarray(_tinted(np.asarray(canvas), boxes, heat))
    draw = ImageDraw.Draw(tinted)
    for box in outlined:
        left, top, right, bottom = _in_pixels(box, *tinted.size)
        right, bottom = max(left, right - 1), max(top, bottom - 1)
        draw.rectangle((left, top, right, bottom), outline=(0, 0, 0), width=4)
        if min(right - left, bottom - top) > 2:
            draw.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline=(255, 255, 255), width=2)
    return _with_legend(tinted, title, note) if legend else tinted


def _scaled(picture: Image.Image) -> Image.Image:
    factor = LONGEST_SIDE / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def _tinted(
    pixels: UInt8[np.ndarray, "height width 3"], boxes: Sequence[Box], heat: Sequence[float]
) -> UInt8[np.ndarray, "height width 3"]:
    height, width = pixels.shape[:2]
    strength = np.zeros((height, width))
    values = np.clip(np.asarray(heat) / (np.percentile(heat, _BRIGHTEST) or 1.0), 0, 1)
    for box, value in zip(boxes, values.tolist(), strict=True):
        left, top, right, bottom = _in_pixels(box, width, height)
        strength[top:bottom, left:right] = np.maximum(strength[top:bottom, left:right], value)
    grey = np.repeat(pixels.astype(float).mean(-1, keepdims=True), 3, axis=-1)
    opacity = _OPACITY * np.sqrt(strength)[..., None]
    return (grey * (1 - opacity) + colours(strength) * opacity).astype(np.uint8)


def colours(strength: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape 3"]:
    """Give the colour of each strength, 0..1."""
    places = np.linspace(0, 1, len(_SCALE))
    return np.stack([np.interp(strength, places, _SCALE[:, channel]) for channel in range(3)], axis=-1)


def _with_legend(picture: Image.Image, title: str, note: str) -> Image.Image:
    font, small = ImageFont.load_default(18), ImageFont.load_default(15)
    lines = [line for line in (title, *_wrapped(note, small, picture.width - 16)) if line]
    sheet = Image.new("RGB", (picture.width, picture.height + _LINE * (len(lines) + 1) + 8), _PAPER)
    sheet.paste(picture)
    draw = ImageDraw.Draw(sheet)
    top = picture.height + 4
    for number, line in enumerate(lines):
        draw.text((8, top), line, fill=_INK, font=font if number == 0 and title else small)
        top += _LINE
    _legend(sheet, draw, top, small)
    return sheet


def _legend(sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int, font: Font) -> None:
    draw.text((8, top), "looked at less", fill=_INK, font=font)
    start = 16 + int(draw.textlength("looked at less", font=font))
    length = min(200, max(40, sheet.width // 4))
    strip = colours(np.linspace(0, 1, length))[None].repeat(_LINE - 8, axis=0).astype(np.uint8)
    sheet.paste(Image.fromarray(strip), (start, top + 3))
    draw.text((start + length + 8, top), "more", fill=_INK, font=font)


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _in_pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    return round(left * width), round(top * height), round(right * width), round(bottom * height)
