"""A world of drawn shapes, for tests of the recipe without any downloaded picture."""

import cv2
import numpy as np
from sources import Asset

SHAPES = {"disc": (220, 40, 40), "box": (40, 80, 220), "wedge": (40, 170, 60)}


def shape(name: str, colour: tuple[int, int, int], style: int) -> np.ndarray:
    pixels = np.zeros((64, 64, 4), np.uint8)
    paint = (*colour, 255)
    if name == "disc":
        cv2.circle(pixels, (32, 32), 24 - 4 * style, paint, -1)
    elif name == "box":
        cv2.rectangle(pixels, (8, 8 + 6 * style), (56, 56 - 6 * style), paint, -1)
    else:
        cv2.fillPoly(pixels, [np.array([[32, 6 + 4 * style], [58, 58], [6, 58]])], paint)
    return pixels


def assets() -> list[Asset]:
    sprites = [
        Asset(shape(name, colour, style), f"{name}/{style}", name, "toy", "sprite", "train")
        for name, colour in SHAPES.items()
        for style in range(2)
    ]
    grass = np.full((96, 96, 4), (70, 140, 60, 0), np.uint8)
    return [*sprites, Asset(grass, "grass", "background", "object", "background", "train")]


def photos() -> list[Asset]:
    """Two "dogs" (stripes of two directions, each in three photos) whose masks nobody knows."""
    taken = []
    for number, part in ((0, "train"), (1, "train"), (2, "val"), (3, "val")):
        for view in range(3):
            pixels = np.full((80, 80, 3), 60 + 20 * view, np.uint8)
            pixels[::8] = (200, 160, 60 + 40 * number)
            pixels = np.ascontiguousarray(pixels.transpose(1, 0, 2) if number % 2 else pixels)
            file = cv2.imencode(".png", pixels)[1].tobytes()
            taken.append(Asset(file, f"dog-{number}", "photo dog", "dog", "portrait", part))
    return taken
