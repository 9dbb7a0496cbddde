"""Subjects: an identity that can be drawn again and again, and the look-alikes it must not be taken for."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from colours import VARIANTS, colour_shares, is_colourful, variant_matrix
from numpy.typing import NDArray
from sources import Asset, Part

CUTOUT_SIDE = 144
TEXTURE_VARIANTS = 100_000
MOST_COUNTED_VIEWS = 4
SINGLE_WEIGHT = 0.3  # of a thing of which there is one photo only
KEPT_BACKDROPS = 400
DRAWN_FAMILY, PHOTO_FAMILY = (
    0.45,
    0.85,
)  # how often a look-alike is another of the family, not the same in other colours


@dataclass(frozen=True)
class Subject:
    """One identity: which thing, in which colours (or, for texture subjects, filled with which piece of photo)."""

    thing: int
    variant: int
    texture: int = 0

    @property
    def is_texture(self) -> bool:
        """Tell whether this is a cut-out shape filled with a piece of a photo."""
        return self.texture > 0


class Cast:
    """All subjects of one part of the data: draws them, describes them and finds their look-alikes."""

    def __init__(self, assets: Sequence[Asset], part: Part) -> None:
        """Group the assets of one part by identity."""
        groups: dict[str, list[Asset]] = defaultdict(list)
        for asset in assets:
            if asset.part == part and asset.kind != "background":
                groups[asset.identity].append(asset)
        self.things = list(groups.values())
        self.backdrops = [a for a in assets if a.part == part and a.kind in ("photo", "background")]
        families: dict[str, list[int]] = defaultdict(list)
        for thing, members in enumerate(self.things):
            families[members[0].family].append(thing)
        self.families = dict(families)
        self.photo_things = [thing for thing, members in enumerate(self.things) if members[0].kind != "sprite"]
        self.sprite_things = [thing for thing, members in enumerate(self.things) if members[0].kind == "sprite"]
        self._shares_of_draw = np.array([self._weight(thing) for thing in range(len(self.things))])
        weights = self._shares_of_draw[self.photo_things]
        self._photo_shares = weights / (weights.sum() or 1.0)
        self._is_colourful = lru_cache(None)(lambda thing: is_colourful(self.things[thing][0].pixels))
        self.backdrop = lru_cache(KEPT_BACKDROPS)(self._backdrop)
        self.cutout = lru_cache(4096)(self._cutout)
        self.shares = lru_cache(None)(self._shares)

    def random_subject(self, rng: np.random.Generator, photos: float = 0.2, textures: float = 0.15) -> Subject:
        """Draw a subject: a photographed thing, a texture shape or a sprite."""
        draw = rng.random()
        if self.photo_things and draw < photos:
            return Subject(int(rng.choice(self.photo_things, p=self._photo_shares)), 0)
        thing = int(rng.choice(self.sprite_things))
        if self.backdrops and draw < photos + textures:
            return Subject(thing, 0, int(rng.integers(1, TEXTURE_VARIANTS)))
        return Subject(thing, int(rng.integers(VARIANTS)) if rng.random() < 0.6 else 0)

    def look_alike(self, rng: np.random.Generator, subject: Subject) -> Subject:
        """Draw a subject that is easily taken for this one: other colours, another drawing, another of its class."""
        if subject.is_texture:
            return Subject(subject.thing, 0, int(rng.integers(1, TEXTURE_VARIANTS)))
        others = [thing for thing in self.families[self.things[subject.thing][0].family] if thing != subject.thing]
        if others and rng.random() < (PHOTO_FAMILY if self.is_photo(subject) else DRAWN_FAMILY):
            weights = self._shares_of_draw[others]
            return Subject(int(rng.choice(others, p=weights / weights.sum())), subject.variant)
        if self.is_photo(subject):
            return Subject(subject.thing, int(rng.integers(1, VARIANTS)))
        return Subject(subject.thing, int((subject.variant + rng.integers(1, VARIANTS)) % VARIANTS))

    def is_photo(self, subject: Subject) -> bool:
        """Tell whether the subject was photographed."""
        return self.things[subject.thing][0].kind != "sprite"

    def is_scenic(self, subject: Subject, view: int) -> bool:
        """Tell whether a picture of the subject may be shown as it is, with its surroundings."""
        return self.things[subject.thing][view].kind in ("photo", "portrait")

    def scenic_things(self, rng: np.random.Generator, number: int) -> list[int]:
        """Draw things whose photos may be shown as they are and whose noun is known, no noun far more than others."""
        members = [self.things[thing][0] for thing in self.photo_things]
        able = [asset.kind in ("photo", "portrait") and asset.noun != "object" for asset in members]
        things = [thing for thing, fits in zip(self.photo_things, able, strict=True) if fits]
        if not things:
            return []
        nouns = Counter(self.things[thing][0].noun for thing in things)
        weights = np.array([nouns[self.things[thing][0].noun] ** -0.5 for thing in things])
        drawn = rng.choice(things, min(number, len(things)), replace=False, p=weights / weights.sum())
        return [int(thing) for thing in drawn]

    def noun(self, subject: Subject) -> str:
        """Say what the subject is."""
        return "object" if subject.is_texture else self.things[subject.thing][0].noun

    def views(self, subject: Subject) -> int:
        """Count the different pictures of the subject."""
        return len(self.things[subject.thing])

    def photo(self, subject: Subject, view: int) -> tuple[NDArray[np.uint8], bool]:
        """Give the whole photo the subject was cut from, in its variant's colours; whether its outline is known."""
        pixels, outlined = self.things[subject.thing][view].read()
        return recoloured(pixels, self._matrix(subject)) if subject.variant else pixels, outlined

    def _matrix(self, subject: Subject) -> NDArray[np.float32]:
        return variant_matrix(subject.variant, self._is_colourful(subject.thing))

    def _cutout(self, subject: Subject, view: int) -> NDArray[np.uint8]:
        pixels = _crop_to_alpha(self.things[subject.thing][view].pixels)
        if subject.is_texture:
            return self._textured(pixels, subject.texture)
        return premultiplied(recoloured(pixels, self._matrix(subject)) if subject.variant else pixels)

    def _textured(self, pixels: NDArray[np.uint8], texture: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng(texture)
        backdrop = self.backdrop(int(rng.integers(len(self.backdrops))))
        side = int(rng.uniform(0.25, 0.6) * min(backdrop.shape[:2]))
        top, left = (int(rng.integers(extent - side + 1)) for extent in backdrop.shape[:2])
        patch = cv2.resize(
            backdrop[top : top + side, left : left + side], pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR
        )
        matrix = variant_matrix(int(rng.integers(VARIANTS)), True)
        return premultiplied(recoloured(np.dstack([patch, pixels[..., 3]]), matrix))

    def _backdrop(self, number: int) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self.backdrops[number].rgb)

    def _weight(self, thing: int) -> float:
        """Weigh how often a thing is drawn: more views teach more, and no class outweighs all others."""
        views = min(len(self.things[thing]), MOST_COUNTED_VIEWS)
        family = len(self.families[self.things[thing][0].family])
        return (views if views > 1 else SINGLE_WEIGHT) / family**0.5

    def _shares(self, subject: Subject) -> NDArray[np.float32]:
        return colour_shares(self.cutout(subject, 0))


def recoloured(pixels: NDArray[np.uint8], matrix: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Apply a colour matrix to the RGB channels of an RGBA picture."""
    rgb = cv2.transform(np.ascontiguousarray(pixels[..., :3]), matrix)
    return np.dstack([rgb, pixels[..., 3]])


def premultiplied(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Multiply colour by alpha, so that interpolation leaves no dark rim."""
    rgb = cv2.multiply(np.ascontiguousarray(pixels[..., :3]), cv2.merge([pixels[..., 3]] * 3), scale=1 / 255)
    return np.dstack([rgb, pixels[..., 3]])


def _crop_to_alpha(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut the picture to its subject and limit its size."""
    left, top, width, height = cv2.boundingRect((pixels[..., 3] > 32).astype(np.uint8))
    crop = pixels[top : top + height, left : left + width] if width and height else pixels
    scale = CUTOUT_SIDE / max(crop.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(crop)
    return cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
