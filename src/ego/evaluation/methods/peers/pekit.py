"""PeKit (Personalization Toolkit, 2025): detect and segment, match DINOv2 features, draw boxes, ask.

Kept: open-vocabulary detection of the concept's category and a segmentation of the best box in each reference, the
mean of the patch features under the mask as one memory per reference, proposals of the known categories at test time,
cosine similarity with the threshold 0.75, one concept per box, boxes drawn as visual prompts with the names in the
text. Recognition is the match itself, no language model asked. Not kept: the nine augmentations per reference, the
authors' colours and wording.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from PIL import ImageDraw
from torch import Tensor

from ego.backbones.base import Backbone
from ego.evaluation.manifest import Subject
from ego.evaluation.methods.base import Method, Profile
from ego.evaluation.methods.peers.encoders import Box, Encoders
from ego.evaluation.methods.respondent import PICTURES_KEPT, Recent, Reply
from ego.media import LoadedImage
from ego.prompt import CAPTION, CAPTION_WITH_NAMES, Part, Picture, Text

PROPOSALS = 20  # best boxes of a picture that are looked at
COLOURS = ("red", "lime", "blue", "yellow", "magenta", "cyan", "orange", "white")
LINE = 0.008  # width of a drawn line, share of the longer side


@dataclass(frozen=True, eq=False, kw_only=True)
class Features(Profile):
    """Features of a concept, one row per reference."""

    category: str
    rows: Float[Tensor, "view dim"]


@dataclass(frozen=True)
class Match:
    """A box and the concept in it."""

    box: Box
    name: str
    similarity: float


class PeKit(Method[Features]):
    """Matching outside of the model, boxes inside."""

    def __init__(self, backbone: Backbone, encoders: Encoders) -> None:
        super().__init__(backbone)
        self._encoders = encoders
        self._found: Recent[list[Match]] = Recent(PICTURES_KEPT)

    def require(self) -> None:
        """Load the encoders."""
        self._encoders.require("dino", "detector", "segmenter")

    @property
    def needs(self) -> tuple[str, ...]:
        """DINOv2, a detector and a segmenter."""
        return self._encoders.settings.of("dino", "detector", "segmenter")

    def introduce(self, subject: Subject, references: Sequence[LoadedImage]) -> Features:
        """Take the features of the segmented object in every reference."""
        category = subject.category or "object"
        rows = torch.stack([self._features(reference, category) for reference in references])
        story = f"{len(rows)} feature vectors of a {category}"
        return Features(key=subject.key, name=subject.name, tokens=0, story=story, category=category, rows=rows)

    def recognize(self, pictures: Sequence[LoadedImage], asked: Features, known: Sequence[Features]) -> Reply:
        """Say yes if a box of any picture matches the concept best, and well enough."""
        matches = [match for picture in pictures for match in self._matches(picture, known)]
        mine = [match.similarity for match in matches if match.name == asked.name]
        return Reply("Yes" if mine else "No", context_tokens=0)

    def ask(
        self, pictures: Sequence[LoadedImage], question: str, known: Sequence[Features], *, max_new_tokens: int
    ) -> Reply:
        """Ask about the pictures with boxes and names."""
        return self.respondent.say(self._parts(pictures, question, known), max_new_tokens=max_new_tokens)

    def caption(self, pictures: Sequence[LoadedImage], known: Sequence[Features], *, max_new_tokens: int) -> Reply:
        """Caption the pictures with boxes and names."""
        found = any(self._matches(picture, known) for picture in pictures)
        question = CAPTION_WITH_NAMES if found else CAPTION
        return self.ask(pictures, question, known, max_new_tokens=max_new_tokens)

    def _features(self, reference: LoadedImage, category: str) -> Float[Tensor, " dim"]:
        """Features under the mask of the best box; of the whole image if nothing is detected."""
        boxes = self._encoders.detect(reference.picture, [category])
        mask = self._encoders.segment(reference.picture, boxes[0]) if boxes else None
        return self._encoders.embed_region(reference.picture, mask if mask is not None and mask.any() else None)

    def _matches(self, picture: LoadedImage, known: Sequence[Features]) -> list[Match]:
        key = (picture.digest, *(profile.key for profile in known))
        return self._found.get(key, lambda: self._match(picture, known))

    def _match(self, picture: LoadedImage, known: Sequence[Features]) -> list[Match]:
        """Give each concept its most similar box, if it is similar enough and no other concept is more so."""
        categories = list(dict.fromkeys(profile.category for profile in known))
        best: dict[str, Match] = {}
        least = self._encoders.settings.match_threshold
        for box in self._encoders.detect(picture.picture, categories)[:PROPOSALS]:
            features = self._encoders.embed_region(box.crop(picture.picture))
            similar = [float((profile.rows @ features).max()) for profile in known]
            place = max(range(len(known)), key=similar.__getitem__)
            match = Match(box, known[place].name, similar[place])
            if match.similarity > max(least, best[match.name].similarity if match.name in best else -1):
                best[match.name] = match
        return list(best.values())

    def _parts(self, pictures: Sequence[LoadedImage], question: str, known: Sequence[Features]) -> list[Part]:
        parts: list[Part] = []
        for picture in pictures:
            matches = self._matches(picture, known)
            named = [f"The {COLOURS[n % len(COLOURS)]} box shows {match.name}." for n, match in enumerate(matches)]
            parts += [Picture(self.respondent.encode(_drawn(picture, matches)))]
            parts += [Text(" ".join(named) + "\n")] if named else []
        return [*parts, Text(question)]


def _drawn(picture: LoadedImage, matches: Sequence[Match]) -> LoadedImage:
    """Draw the boxes into a copy."""
    if not matches:
        return picture
    copy = picture.picture.copy()
    pen, width = ImageDraw.Draw(copy), max(1, round(LINE * max(copy.size)))
    for number, match in enumerate(matches):
        pen.rectangle(match.box.edges, outline=COLOURS[number % len(COLOURS)], width=width)
    return LoadedImage(copy, picture.source)
