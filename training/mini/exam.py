"""What the finished model is examined on: composed scenes of unseen subjects, real photos of unseen concepts."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bank import Plan, Sighting, plan_bank
from nouns import photo_noun
from numpy.typing import NDArray
from PIL import Image
from sources import Asset, coco_photos
from splits import DREAMBOOTH_TRAIN, MYVLM_VALIDATION
from subjects import Cast
from wording import Item, Look
from world import group_layout, main_layout, render

SIDE, GRID = 384, 12  # rendered larger than the model's input: the processor resizes, as for a user's photo
PHOTO_SETS = {"val": ("validation",), "test": ("dreambooth", "myvlm")}
CLEAR = 0.5
LEAST_CONCEPTS = 8
PHOTOS, TEXTURES = 0.3, 0.12  # shares of the subjects; the rest are sprites


@dataclass(frozen=True)
class Known:
    """A composed subject: its reference picture, the look of it, its share of every visual token of the reference."""

    member: int
    name: str
    reference: Image.Image
    look: Look
    cover: NDArray[np.float32]  # row column

    @property
    def area(self) -> float:
        """Compute the share of the picture that the subject covers."""
        return float(self.cover.mean())

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Give the mask of the tokens that mostly show the subject (at least one), in pixels of the reference."""
        shown = self.cover >= min(CLEAR, float(self.cover.max()))
        return np.kron(shown, np.ones((SIDE // GRID, SIDE // GRID))) > 0


@dataclass(frozen=True)
class Scene:
    """A composed picture and where each clearly visible subject of it stands."""

    picture: Image.Image
    items: dict[int, Item]
    there: frozenset[int]


@dataclass(frozen=True)
class Composed:
    """An exam of composed pictures."""

    known: tuple[Known, ...]
    scenes: tuple[Scene, ...]
    groups: tuple[int, ...]

    def twins(self, member: int) -> list[int]:
        """List the look-alikes of a subject."""
        return [other for other, group in enumerate(self.groups) if group == self.groups[member] and other != member]


def plan_exam(cast: Cast, seed: int, concepts: int) -> Plan:
    """Draw the subjects of an exam; the mixture stays the same whatever the lessons are."""
    return plan_bank(cast, seed, 0, concepts, photos=PHOTOS, textures=TEXTURES)


def compose(cast: Cast, names: Sequence[str], seed: int, scenes: int) -> Composed:
    """Render one reference per name, and scenes of one to four of them; four more must be left to be absent."""
    if len(names) < LEAST_CONCEPTS:
        raise ValueError(f"{len(names)} concepts; an exam needs at least {LEAST_CONCEPTS}")
    plan = plan_exam(cast, seed, len(names))
    known = []
    for member, name in enumerate(names):
        rng = np.random.default_rng([seed, 1, member])
        subject = plan.subjects[member]
        for _ in range(20):
            picture = render(rng, cast, [subject], main_layout(rng, 1), side=SIDE, grid=GRID, whole_photo=0.5)
            if picture.visible[0] > 0.7:
                break
        height, width = cast.cutout(subject, 0).shape[:2]
        look = Look(cast.noun(subject), cast.shares(subject), height / width)
        known.append(Known(member, name, Image.fromarray(picture.pixels), look, picture.cover[0]))
    built = tuple(
        _scene(cast, plan.subjects, known, np.random.default_rng([seed, 2, number]), 1 + number % 4)
        for number in range(scenes)
    )
    return Composed(tuple(known), built, plan.groups[: len(names)])


def _scene(
    cast: Cast, subjects: Sequence[object], known: Sequence[Known], rng: np.random.Generator, number: int
) -> Scene:
    members = rng.choice(len(known), number, replace=False).tolist()
    picture = render(rng, cast, [subjects[m] for m in members], group_layout(rng, number), side=SIDE, grid=GRID)
    items = {}
    for place, member in enumerate(members):
        sighting = Sighting(member, picture.cover[place].reshape(-1), picture.centre[place], picture.visible[place])
        if sighting.visible > CLEAR and sighting.cover.sum() > 2:
            items[member] = Item(known[member].look, sighting.centre, known[member].name)
    return Scene(Image.fromarray(picture.pixels), items, frozenset(members))


@dataclass(frozen=True)
class PhotoConcept:
    """A concept in real photos."""

    name: str
    group: str
    noun: str
    references: tuple[Path, ...]
    tests: tuple[Path, ...]

    @property
    def reference(self) -> Path:
        """Give the best reference."""
        return self.references[0]


def photo_concepts(data: Path, part: str, *, taught: bool = False) -> list[PhotoConcept]:
    """List concepts: "dreambooth" (unseen half), "myvlm" (test half), "validation" (the other half of MyVLM).

    `taught` lists those of DreamBooth that were used in training, too.
    """
    chosen = []
    for entry in json.loads((data / "concepts/concepts.json").read_text())["concepts"]:
        held_out = entry["name"] in MYVLM_VALIDATION
        kind = "validation" if entry["dataset"] == "myvlm" and held_out else entry["dataset"]
        if kind == part and (taught or part != "dreambooth" or entry["name"] not in DREAMBOOTH_TRAIN):
            references, tests = (tuple(data / file for file in entry[kind]) for kind in ("refs", "tests"))
            noun = photo_noun(entry["class"])
            chosen.append(PhotoConcept(entry["name"], entry["group"], noun, references, tests))
    return chosen


def unseen_references(sets: Iterable[Sequence[PhotoConcept]]) -> list[tuple[NDArray[np.uint8], str]]:
    """List all references of some sets with their nouns; those whose class has none are left out."""
    return [
        (np.asarray(Image.open(path).convert("RGB")), concept.noun)
        for concepts in sets
        for concept in concepts
        for path in concept.references
        if concept.noun != "object"
    ]


def masked_photos(data: Path) -> list[Asset]:
    """List masked photos that never entered training: kept out by licence, or the test part of the others."""
    return [*coco_photos(data, free=False), *(asset for asset in coco_photos(data, free=True) if asset.part == "test")]
