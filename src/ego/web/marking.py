"""Boxes, names and corners drawn on a picture, in white on black, which shows on any picture and to every eye."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

Corner = tuple[int, int]
Box = tuple[float, float, float, float]


def mark(picture: Image.Image, box: Box, label: str) -> None:
    """Outline a box, given as fractions left top right bottom, and write a label into its corner."""
    draw, wide = ImageDraw.Draw(picture), max(2, min(picture.size) // 150)
    left, top, right, bottom = in_pixels(box, *picture.size)
    draw.rectangle((left, top, right, bottom), outline="black", width=3 * wide)
    inner = (left + wide, top + wide, right - wide, bottom - wide)
    if inner[0] < inner[2] and inner[1] < inner[3]:
        draw.rectangle(inner, outline="white", width=wide)
    size = max(12, min(picture.size) // 20)
    room = (picture.width - 12) / max(1, draw.textlength(label, font=ImageFont.load_default(size)))
    font = ImageFont.load_default(max(6, int(size * min(1, room))))  # a long name is smaller, not cut short
    _, _, wide_text, tall_text = draw.textbbox((0, 0), label, font=font)
    at = max(0, min(left, picture.width - int(wide_text) - 10)), max(0, min(top, picture.height - int(tall_text) - 4))
    draw.rectangle((at[0], at[1], at[0] + wide_text + 8, at[1] + tall_text + 6), fill="black")
    draw.text((at[0] + 4, at[1] + 2), label, fill="white", font=font)


def cornered(picture: Image.Image, corners: Sequence[Corner]) -> Image.Image:
    """Draw the corners that were clicked, and the box once there are two."""
    drawn = picture.copy()
    draw, wide = ImageDraw.Draw(drawn), max(2, picture.width // 150)
    for x, y in corners:
        draw.ellipse((x - 2 * wide, y - 2 * wide, x + 2 * wide, y + 2 * wide), fill="white", outline="black", width=2)
    if len(corners) == 2:
        (left, right), (top, bottom) = (sorted(side) for side in zip(*corners, strict=True))
        draw.rectangle((left, top, right, bottom), outline="black", width=2 * wide)
        draw.rectangle((left, top, right, bottom), outline="white", width=wide)
    return drawn


def in_pixels(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Turn fractions of a picture into its pixels."""
    left, top, right, bottom = box
    return round(left * width), round(top * height), round(right * width), round(bottom * height)
