"""R2P (ICCV 2025): fingerprints in words, retrieval by image and text, reasoning, attribute check, pairwise choice.

Kept: at introduction the model itself writes a fingerprint (attributes that tell the concept from others of its
category); retrieval score (image-image + image-text similarity) / 2; the model reasons over the fingerprints of the
best concepts and picks one; the pick is checked attribute by attribute against the picture in the embedding space;
where pick and check disagree, each candidate's reference is compared with the picture by P(yes), and the best wins.
Not kept: the authors' prompts and their number of attributes; a concept counts as present if it was picked and its
comparison says yes, which makes "none of them" possible.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ego.backbones.base import Backbone
from ego.evaluation.manifest import Subject
from ego.evaluation.methods.base import Method, Profile
from ego.evaluation.methods.peers.encoders import Encoders
from ego.evaluation.methods.respondent import PICTURES_KEPT, Recent, Reply
from ego.evaluation.reading import named
from ego.media import LoadedImage
from ego.prompt import CAPTION, Part, Picture, Text

TOP = 3
ATTRIBUTES = 5
FINGERPRINT_TOKENS = 80
REASONING_TOKENS = 120


@dataclass(frozen=True, eq=False, kw_only=True)
class Fingerprint(Profile):
    """A concept in words and in vectors."""

    category: str
    reference: LoadedImage
    attributes: tuple[str, ...]
    image: Float[Tensor, " dim"]
    text: Float[Tensor, " dim"]
    attribute_rows: Float[Tensor, "attribute dim"]


@dataclass(frozen=True)
class Decision:
    """Which concept a picture shows, if any, and what it took to find out."""

    chosen: Fingerprint
    probability: float
    context_tokens: int


class R2p(Method[Fingerprint]):
    """Retrieval and reasoning on fingerprints."""

    def __init__(self, backbone: Backbone, encoders: Encoders) -> None:
        super().__init__(backbone)
        self._encoders = encoders
        self._decided: Recent[Decision] = Recent(PICTURES_KEPT)

    def require(self) -> None:
        """Load the encoders."""
        self._encoders.require("clip")

    @property
    def needs(self) -> tuple[str, ...]:
        """CLIP."""
        return self._encoders.settings.of("clip")

    def introduce(self, subject: Subject, references: Sequence[LoadedImage]) -> Fingerprint:
        """Let the model write the fingerprint of the first reference."""
        reference, category = references[0], subject.category or "object"
        question = (
            f"List {ATTRIBUTES} visual attributes that distinguish this {category} from any other {category}, "
            "separated by semicolons. Do not mention the background."
        )
        parts = (Picture(self.respondent.encode(reference)), Text(question))
        said = self.respondent.say(parts, max_new_tokens=FINGERPRINT_TOKENS).text
        attributes = _attributes(said) or (f"a {category}",)
        rows = torch.stack([self._encoders.embed_text(attribute) for attribute in attributes])
        return Fingerprint(
            key=subject.key,
            name=subject.name,
            tokens=0,
            story="; ".join(attributes),
            category=category,
            reference=reference,
            attributes=attributes,
            image=self._encoders.embed_image(reference.picture),
            text=self._encoders.embed_text(f"a {category}: {', '.join(attributes)}"),
            attribute_rows=rows,
        )

    def recognize(self, pictures: Sequence[LoadedImage], asked: Fingerprint, known: Sequence[Fingerprint]) -> Reply:
        """Find the concept of the picture and see whether it is the one asked about."""
        found = self._decide(pictures[0], known)
        probability = found.probability if found.chosen.key == asked.key else 0.0
        return Reply("Yes" if probability >= 0.5 else "No", found.context_tokens, probability)

    def ask(
        self, pictures: Sequence[LoadedImage], question: str, known: Sequence[Fingerprint], *, max_new_tokens: int
    ) -> Reply:
        """Answer with the found concept's fingerprint in the prompt; from all fingerprints without a picture."""
        images: list[Part] = [Picture(self.respondent.encode(picture)) for picture in pictures]
        if not pictures:
            texts = [Text(f"{one.name} is a {one.category}: {', '.join(one.attributes)}.\n") for one in known]
            return self.respondent.say([*texts, Text(question)], max_new_tokens=max_new_tokens)
        found = self._decide(pictures[0], known)
        hint = f"The {found.chosen.category} in this image is called {found.chosen.name}.\n"
        text = Text((hint if found.probability >= 0.5 else "") + question)
        return self.respondent.say([*images, text], max_new_tokens=max_new_tokens).after(found.context_tokens)

    def caption(self, pictures: Sequence[LoadedImage], known: Sequence[Fingerprint], *, max_new_tokens: int) -> Reply:
        """Caption with the found concept's name."""
        question = f"{CAPTION} Use the name if you know it."
        return self.ask(pictures, question, known, max_new_tokens=max_new_tokens)

    def _decide(self, picture: LoadedImage, known: Sequence[Fingerprint]) -> Decision:
        key = (picture.digest, *(one.key for one in known))
        return self._decided.get(key, lambda: self._find(picture, known))

    def _find(self, picture: LoadedImage, known: Sequence[Fingerprint]) -> Decision:
        """Retrieve, reason, check, and compare in pairs if reasoning and check disagree."""
        image = self._encoders.embed_image(picture.picture)
        candidates = sorted(known, key=lambda one: -float((one.image + one.text) @ image) / 2)[:TOP]
        reasoned, tokens = self._reason(picture, candidates)
        checked = max(candidates, key=lambda one: float((one.attribute_rows @ image).mean()))
        rivals = candidates if reasoned is not checked else [checked]
        verdicts = [self._compare(picture, rival) for rival in rivals]
        best = max(range(len(rivals)), key=lambda place: verdicts[place].probability or 0.0)
        tokens += sum(verdict.context_tokens for verdict in verdicts)
        return Decision(rivals[best], verdicts[best].probability or 0.0, tokens)

    def _reason(self, picture: LoadedImage, candidates: Sequence[Fingerprint]) -> tuple[Fingerprint | None, int]:
        """Let the model reason over the fingerprints; returns its pick, None if it names none or several."""
        listed = "\n".join(f"{one.name}: {', '.join(one.attributes)}" for one in candidates)
        question = (
            f"Which of these is in the image?\n{listed}\nThink step by step: go through the attributes of each, say "
            "which are visible, then end with 'The answer is' and the name."
        )
        parts = (Picture(self.respondent.encode(picture)), Text(question))
        said = self.respondent.say(parts, max_new_tokens=REASONING_TOKENS)
        conclusion = re.split(r"answer is", said.text, flags=re.IGNORECASE)[-1]
        names = named(conclusion, [one.name for one in candidates])
        picked = next((one for one in candidates if one.name in names), None) if len(names) == 1 else None
        return picked, said.context_tokens

    def _compare(self, picture: LoadedImage, rival: Fingerprint) -> Reply:
        """Ask whether two images show the same thing."""
        question = f"Do both images show the very same {rival.category}? Answer with a single word, Yes or No."
        first, second = self.respondent.encode(rival.reference), self.respondent.encode(picture)
        return self.respondent.yes_or_no((Picture(first), Picture(second), Text(question)))


def _attributes(text: str) -> tuple[str, ...]:
    """Split a list; numbers and bullets go."""
    pieces = (re.sub(r"^\s*(?:\d+[.)]|[-*])\s*", "", piece).strip(" .") for piece in re.split(r"[;\n]", text))
    return tuple(piece for piece in pieces if piece)[:ATTRIBUTES]
