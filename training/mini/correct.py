"""Fit the correction of yes-or-no probabilities on validation pictures, and keep it in the model's folder.

    python correct.py --world WORLD.npz --data DATA --model MODEL_FOLDER

Asked is as the library asks by default: photos of the validation concepts with one concept in memory, introduced by one
photo and by three, and composed scenes of validation subjects with one and with four. All three count alike, whatever
their number. Two lines are fitted: on the margin of yes alone, and on it and the similarity of memory and picture. Both
are compared in a space (`ego.token_space`) that is fitted to the visual tokens of pictures that taught.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from bank import Chunks, plan_bank, render_bank
from composed_exam import NUMBERS, Asked, Exam, composed_decisions, introduce, probabilities
from exam import GRID, SIDE, PhotoConcept, compose, photo_concepts
from names import random_names
from photo_exam import decisions, introduced, one_at_a_time
from PIL import Image
from scores import Decision, report
from sources import Asset, read_pack
from subjects import Cast

from ego import Ego, load_backbone
from ego.answer_correction import ALMOST_SURE, FILE_NAME, AnswerCorrection, fit, saved_correction
from ego.backbones.base import Backbone
from ego.similarity_filter import partial_similarity
from ego.token_space import TokenSpace, fit_token_space

SEED, CONCEPTS, SCENES = 101, 60, 60
REFERENCES = (1, 3)
SPACE_IDENTITIES, SPACE_SINGLES = 60, 220  # pictures to fit the space to: three of each identity, one of each single


@dataclass(frozen=True)
class Answers:
    """Decisions scored by the uncorrected probability, and the same scored by the similarity of memory and picture."""

    said: list[Decision]
    similar: list[Decision]

    def __len__(self) -> int:
        """Count them."""
        return len(self.said)

    def repeated(self, times: int) -> "Answers":
        """Count all of them several times."""
        return Answers(self.said * times, self.similar * times)

    def __add__(self, other: "Answers") -> "Answers":
        """Put both together."""
        return Answers(self.said + other.said, self.similar + other.similar)


def space_of(backbone: Backbone, assets: Sequence[Asset]) -> TokenSpace:
    """Fit the space of the visual tokens to pictures that taught: references of identities, and single photos."""
    cast = Cast(assets, "train")
    plan = plan_bank(cast, SEED, 0, SPACE_IDENTITIES, singles=SPACE_SINGLES)
    rows = [backbone.encode_image(picture).rows for picture in _rendered(Chunks(cast, plan, SEED, 0, 0, SIDE, GRID))]
    return fit_token_space(torch.cat(rows))


def _rendered(chunks: Chunks) -> Iterator[Image.Image]:
    for pictures, _ in render_bank(chunks, workers=0):
        yield from (Image.fromarray(picture.permute(1, 2, 0).numpy()) for picture in pictures)


def validation(backbone: Backbone, assets: Sequence[Asset], data: Path, space: TokenSpace) -> dict[str, Answers]:
    """Ask everything that the correction is fitted to."""
    concepts = photo_concepts(data, "validation")
    names = random_names(np.random.default_rng(SEED), CONCEPTS)
    composed = compose(Cast(assets, "val"), names, SEED, SCENES)
    compared = partial(similarities, space=space)
    asked = {
        f"photos, {references} reference(s)": _photos(backbone, concepts, references, compared)
        for references in REFERENCES
    }
    exams = (introduce(backbone, composed, "attention") for _ in range(2))
    return asked | {"composed": Answers(*map(_composed, exams, (probabilities, compared)))}


def _photos(backbone: Backbone, concepts: Sequence[PhotoConcept], references: int, compared: Asked) -> Answers:
    personal, every = introduced(backbone, concepts, references, "attention"), [concept.name for concept in concepts]
    return Answers(
        decisions(concepts, one_at_a_time(backbone, concepts, references, "attention")),
        decisions(concepts, lambda picture: compared(personal, picture, every)),
    )


def similarities(personal: Ego, picture: Image.Image, names: Sequence[str], space: TokenSpace) -> dict[str, float]:
    """Compare the tokens of a picture with those of memories."""
    rows = space(personal.backbone.encode_image(picture).rows)
    chosen = [memory for memory in personal.memories if memory.name in set(names)]
    return {memory.name: partial_similarity(space(memory.tokens.rows.to(rows.device)), rows) for memory in chosen}


def _composed(exam: Exam, asked: Asked) -> list[Decision]:
    return [decision for number in NUMBERS for _, decision in composed_decisions(exam, number, asked)]


def balanced(answers: dict[str, Answers]) -> Answers:
    """Repeat the answers of the smaller sets, so that every set counts about alike."""
    most = max(len(some) for some in answers.values())
    every = Answers([], [])
    for some in answers.values():
        every += some.repeated(max(1, round(most / len(some))))
    return every


def fitted(backbone: Backbone, answers: Answers, source: str, space: TokenSpace) -> AnswerCorrection:
    """Fit a correction to answers that were given without one."""
    margins = torch.tensor([decision.score for decision in answers.said], dtype=torch.float64).logit(eps=ALMOST_SURE)
    return fit(
        backbone.fingerprint,
        backbone.card.decoder,
        margins.tolist(),
        [decision.truth for decision in answers.said],
        source=source,
        similarities=[decision.score for decision in answers.similar],
        space=space,
    )


def corrected(correction: AnswerCorrection, answers: Answers) -> list[Decision]:
    """Give the answers as they are with a correction."""
    margins = torch.tensor([decision.score for decision in answers.said], dtype=torch.float64).logit(eps=ALMOST_SURE)
    similar = torch.tensor([decision.score for decision in answers.similar], dtype=torch.float64)
    told = correction.probability(margins, similar).tolist()
    return [Decision(d.truth, score, d.same_group, d.scene) for d, score in zip(answers.said, told, strict=True)]


def told_line(correction: AnswerCorrection) -> str:
    """Say the line that weighs the similarity."""
    line = correction.with_similarity
    return f"{line.scale:.3f} x margin + {line.similarity:.3f} x similarity {line.bias:+.3f}" if line else "none"


def main() -> None:
    """Read the command line, fit, save and say what it changes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    options = parser.parse_args()
    own = options.model / FILE_NAME
    before = own.read_bytes() if own.exists() else None
    own.unlink(missing_ok=True)
    saved_correction.cache_clear()
    backbone = load_backbone(options.model)
    if (known := saved_correction(backbone.fingerprint, backbone.card.decoder)).answers:
        if before is not None:
            own.write_bytes(before)
        raise SystemExit(f"these weights have a correction elsewhere ({known.source}): remove it first")
    assets = read_pack(options.world)
    space = space_of(backbone, assets)
    answers = validation(backbone, assets, options.data, space)
    told = {name: len(some) for name, some in answers.items()}
    correction = fitted(backbone, balanced(answers), f"training/mini/correct.py, validation answers {told}", space)
    for name, some in answers.items():
        alone = fitted(backbone, some, name, space)
        print(f"{name}: scale {alone.scale:.3f}, bias {alone.bias:.3f}, with {told_line(alone)} by itself")
        print("  before", report(some.said, 0.5), "\n  after ", report(corrected(correction, some), 0.5))
    name = options.model.resolve().name  # not where it lay
    fingerprint = correction.fingerprint.model_copy(update={"model_id": name})
    correction.model_copy(update={"fingerprint": fingerprint}).save(own)
    own.chmod(0o644)
    print(f"scale {correction.scale:.3f}, bias {correction.bias:.3f}, with {told_line(correction)}")


if __name__ == "__main__":
    main()
