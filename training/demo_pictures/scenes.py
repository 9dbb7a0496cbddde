"""What stands where: the three concepts, their reference photos, their look-alikes, and the twelve demo scenes.

A subject is a drawing of an emoji, with another hue for a look-alike. Places are fractions of the picture: x and y of
the subject's centre, and its height.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """A drawing: one emoji and how its colours are turned.

    Attributes:
        emoji: The character to draw.
        concept: Name of the concept it is; empty for anything else.
        hue: Turn of the colour wheel, degrees.
        saturation: Factor on the colourfulness.
    """

    emoji: str
    concept: str = ""
    hue: int = 0
    saturation: float = 1.0


@dataclass(frozen=True)
class Placed:
    """A subject in a picture: centre and height in fractions of the picture, turn in degrees."""

    subject: Subject
    x: float
    y: float
    height: float
    turn: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True)
class Scene:
    """One demo picture.

    Attributes:
        place: Name of the background.
        note: What a reader should know about it, one line.
        placed: Subjects, back to front.
        questions: Pairs of question and expected answer.
        light: Brightness factor.
        warmth: Above 0 redder, below 0 bluer.
    """

    place: str
    note: str
    placed: tuple[Placed, ...]
    questions: tuple[tuple[str, str], ...] = ()
    light: float = 1.0
    warmth: float = 0.0


BO = Subject("🦮", "Bo")
TEAPOT = Subject("🫖", "Nana's teapot")
BAG = Subject("👜", "Zoe's bag")

WHITE_DOG = Subject("🦮", saturation=0.12)
PUPPY = Subject("🐕")
BLUE_TEAPOT = Subject("🫖", hue=205)
GREEN_TEAPOT = Subject("🫖", hue=125, saturation=0.9)
BLUE_BAG = Subject("👜", hue=185)
BACKPACK = Subject("🎒")

TREE, BALL, CAT, CUP = Subject("🌳"), Subject("⚽"), Subject("🐈"), Subject("☕")
PLANT, BOOKS, CAR, BANANA = Subject("🪴"), Subject("📚"), Subject("🚗"), Subject("🍌")
BICYCLE, BREAD, DUCK = Subject("🚲"), Subject("🍞"), Subject("🦆")

CATEGORIES = {"Bo": "dog", "Nana's teapot": "teapot", "Zoe's bag": "handbag"}

REFERENCES: dict[str, tuple[Scene, ...]] = {
    "Bo": (
        Scene("meadow", "Bo on the grass", (Placed(BO, 0.5, 0.57, 0.7),)),
        Scene("room", "Bo at home, from the other side", (Placed(BO, 0.48, 0.6, 0.6, turn=4, mirrored=True),), 0.95),
    ),
    "Nana's teapot": (
        Scene("table", "the teapot in the kitchen", (Placed(TEAPOT, 0.5, 0.56, 0.66),)),
        Scene(
            "room", "the teapot, spout to the left", (Placed(TEAPOT, 0.53, 0.6, 0.54, turn=-5, mirrored=True),), 1.05
        ),
    ),
    "Zoe's bag": (
        Scene("room", "the bag at home", (Placed(BAG, 0.5, 0.58, 0.66),)),
        Scene("street", "the bag, held up in the street", (Placed(BAG, 0.47, 0.5, 0.6, turn=7),), 1.05),
    ),
}

SCENES: tuple[Scene, ...] = (
    Scene(
        "meadow",
        "Bo runs after a ball",
        (Placed(TREE, 0.84, 0.4, 0.5), Placed(BO, 0.34, 0.64, 0.48, turn=-6), Placed(BALL, 0.76, 0.82, 0.18)),
        (("Which side is Bo on?", "left"),),
        1.05,
    ),
    Scene(
        "street",
        "Bo waits beside a red car",
        (Placed(CAR, 0.26, 0.7, 0.32), Placed(BO, 0.74, 0.72, 0.42, mirrored=True)),
        (("Which side is Bo on?", "right"),),
        0.92,
        0.05,
    ),
    Scene(
        "meadow",
        "a look-alike: the same breed in white, not Bo",
        (Placed(WHITE_DOG, 0.58, 0.62, 0.5, turn=4), Placed(DUCK, 0.18, 0.78, 0.26)),
    ),
    Scene(
        "room",
        "Nana's teapot, and a look-alike: a puppy, not Bo",
        (Placed(TEAPOT, 0.25, 0.7, 0.36, turn=5), Placed(PUPPY, 0.7, 0.68, 0.48)),
        light=0.95,
    ),
    Scene(
        "table",
        "breakfast with Nana's teapot",
        (Placed(BREAD, 0.2, 0.66, 0.28), Placed(TEAPOT, 0.64, 0.6, 0.42, turn=3), Placed(CUP, 0.36, 0.84, 0.26)),
        (("What colour is Nana's teapot?", "red"),),
        1.0,
        0.06,
    ),
    Scene(
        "table",
        "a look-alike: the same teapot in blue",
        (Placed(BLUE_TEAPOT, 0.4, 0.62, 0.44), Placed(BANANA, 0.8, 0.76, 0.28)),
    ),
    Scene(
        "room",
        "a look-alike: the same teapot in green",
        (Placed(PLANT, 0.82, 0.56, 0.44), Placed(GREEN_TEAPOT, 0.36, 0.72, 0.4, turn=-4, mirrored=True)),
        light=0.9,
    ),
    Scene(
        "street",
        "Zoe's bag by the bicycle",
        (Placed(BICYCLE, 0.3, 0.66, 0.44), Placed(BAG, 0.76, 0.72, 0.36, turn=-4)),
        (("Which side is Zoe's bag on?", "right"), ("What colour is Zoe's bag?", "brown")),
    ),
    Scene(
        "room",
        "look-alikes: the same bag in blue, and a backpack",
        (Placed(BLUE_BAG, 0.3, 0.68, 0.42), Placed(BACKPACK, 0.74, 0.68, 0.42)),
    ),
    Scene(
        "room",
        "Bo and Zoe's bag",
        (Placed(BOOKS, 0.5, 0.84, 0.22), Placed(BO, 0.27, 0.64, 0.46), Placed(BAG, 0.77, 0.68, 0.38, turn=5)),
        (("How many remembered concepts are in the picture?", "2"), ("Which side is Bo on?", "left")),
        1.06,
    ),
    Scene(
        "table",
        "Nana's teapot and Zoe's bag",
        (Placed(BAG, 0.27, 0.56, 0.42), Placed(TEAPOT, 0.73, 0.68, 0.4, mirrored=True)),
        (("Which side is Nana's teapot on?", "right"),),
        0.94,
        -0.05,
    ),
    Scene(
        "street",
        "none of the three",
        (Placed(CAT, 0.3, 0.74, 0.36), Placed(CAR, 0.72, 0.68, 0.36)),
        light=1.04,
    ),
)
