"""Simple painted places for the demo scenes: a room, a meadow, a table, a street.

Each function takes the picture's side in pixels and a seeded random source, and returns an RGB image. Colours vary a
little from scene to scene, so that a place never gives a subject away.
"""

from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]


def room(side: int, random: Random) -> Image.Image:
    """Wall, window, skirting board, wooden floor and a rug."""
    wall, floor = _near((214, 205, 190), random), _near((156, 116, 82), random)
    picture, draw = _gradient(side, _lighter(wall, 12), wall)
    horizon = round(side * 0.62)
    left = round(side * random.uniform(0.1, 0.6))
    _window(draw, left, round(side * 0.1), round(side * 0.26))
    draw.rectangle((0, horizon, side, side), fill=floor)
    for plank in range(horizon + 14, side, 18):
        draw.line((0, plank, side, plank), fill=_lighter(floor, -14), width=2)
    draw.rectangle((0, horizon - 8, side, horizon), fill=_lighter(wall, 24))
    draw.ellipse((side * 0.12, side * 0.74, side * 0.88, side * 0.97), fill=_near((120, 130, 150), random))
    return picture.filter(ImageFilter.GaussianBlur(1.2))


def meadow(side: int, random: Random) -> Image.Image:
    """Sky, clouds, hills and grass with a few flowers."""
    picture, draw = _gradient(side, _near((120, 176, 226), random), (226, 236, 240))
    for _ in range(3):
        x, y = random.uniform(0, side * 0.8), random.uniform(0, side * 0.25)
        draw.ellipse((x, y, x + side * 0.3, y + side * 0.09), fill=(246, 248, 250))
    draw.ellipse((-side * 0.3, side * 0.42, side * 0.8, side * 1.3), fill=_near((112, 160, 92), random))
    draw.ellipse((side * 0.2, side * 0.5, side * 1.4, side * 1.5), fill=_near((96, 148, 78), random))
    draw.rectangle((0, side * 0.7, side, side), fill=_near((104, 156, 74), random))
    for _ in range(90):
        x, y = random.uniform(0, side), random.uniform(side * 0.68, side)
        draw.line((x, y, x + random.uniform(-3, 3), y - random.uniform(5, 11)), fill=(78, 124, 56), width=2)
    for _ in range(14):
        x, y = random.uniform(0, side), random.uniform(side * 0.7, side)
        draw.ellipse((x, y, x + 5, y + 5), fill=random.choice([(250, 240, 170), (240, 220, 240), (250, 250, 250)]))
    return picture.filter(ImageFilter.GaussianBlur(1.0))


def table(side: int, random: Random) -> Image.Image:
    """A tiled kitchen wall above a wooden table top."""
    tile, wood = _near((206, 216, 214), random), _near((178, 132, 88), random)
    picture, draw = _gradient(side, _lighter(tile, 10), tile)
    step = side // 7
    for line in range(0, side, step):
        draw.line((line, 0, line, side), fill=_lighter(tile, -16), width=2)
        draw.line((0, line, side, line), fill=_lighter(tile, -16), width=2)
    draw.rectangle((0, side * 0.52, side, side), fill=wood)
    for _ in range(26):
        x, y = random.uniform(-side * 0.3, side), random.uniform(side * 0.54, side)
        draw.line((x, y, x + random.uniform(40, 160), y), fill=_lighter(wood, random.randint(-18, 10)), width=2)
    draw.rectangle((0, side * 0.52, side, side * 0.535), fill=_lighter(wood, 22))
    return picture.filter(ImageFilter.GaussianBlur(1.0))


def street(side: int, random: Random) -> Image.Image:
    """Houses, a pavement and a road."""
    picture, draw = _gradient(side, _near((170, 192, 212), random), (224, 228, 230))
    x = 0.0
    while x < side:
        width, top = random.uniform(0.2, 0.32) * side, random.uniform(0.06, 0.24) * side
        _house(draw, (x, top, x + width, side * 0.66), _near((186, 152, 136), random, spread=34))
        x += width
    draw.rectangle((0, side * 0.64, side, side * 0.78), fill=_near((172, 170, 166), random))
    draw.rectangle((0, side * 0.78, side, side), fill=_near((98, 100, 104), random))
    for dash in range(0, side, side // 4):
        draw.rectangle((dash, side * 0.88, dash + side // 9, side * 0.9), fill=(226, 224, 210))
    return picture.filter(ImageFilter.GaussianBlur(1.4))


PLACES: dict[str, Callable[[int, Random], Image.Image]] = {
    "room": room,
    "meadow": meadow,
    "table": table,
    "street": street,
}


def _house(draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], colour: Colour) -> None:
    left, top, right, bottom = box
    draw.rectangle(box, fill=colour)
    side = (right - left) / 5
    for row in range(3):
        for column in (1, 3):
            x, y = left + column * side, top + (0.7 + row * 2.1) * side
            if y + side < bottom:
                draw.rectangle((x, y, x + side, y + 1.3 * side), fill=(206, 220, 232))


def _window(draw: ImageDraw.ImageDraw, left: int, top: int, side: int) -> None:
    draw.rectangle((left, top, left + side, top + side), fill=(190, 214, 232), outline=(244, 240, 232), width=6)
    draw.line((left + side // 2, top, left + side // 2, top + side), fill=(244, 240, 232), width=5)


def _gradient(side: int, top: Colour, bottom: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    ramp = Image.linear_gradient("L").resize((side, side))
    picture = Image.composite(Image.new("RGB", (side, side), bottom), Image.new("RGB", (side, side), top), ramp)
    return picture, ImageDraw.Draw(picture)


def _near(colour: Colour, random: Random, spread: int = 14) -> Colour:
    red, green, blue = (min(255, max(0, value + random.randint(-spread, spread))) for value in colour)
    return red, green, blue


def _lighter(colour: Colour, amount: int) -> Colour:
    red, green, blue = (min(255, max(0, value + amount)) for value in colour)
    return red, green, blue
