"""Fit the correction of yes-or-no probabilities on validation pictures, and keep it in the model's folder.

    python correct.py --world WORLD.npz --data DATA --model MODEL_FOLDER

Asked is as the library asks by default: photos of the validation concepts with one concept in memory, and composed
scenes of validation subjects with one and with four. Both count alike, whatever their number.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from composed_exam import NUMBERS, composed_decisions, introduce
from exam import compose, photo_concepts
from names import random_names
from photo_exam import decisions, one_at_a_time
from scores import Decision, report
from sources import read_pack
from subjects import Cast

from ego import load_backbone
from ego.answer_correction import FILE_NAME, AnswerCorrection, fit, no_correction, saved_correction
from ego.backbones.base import Backbone

SEED, CONCEPTS, SCENES = 101, 60, 60


def validation(backbone: Backbone, world: Path, data: Path) -> dict[str, list[Decision]]:
    """Ask everything that the correction is fitted to."""
    concepts = photo_concepts(data, "validation")
    names = random_names(np.random.default_rng(SEED), CONCEPTS)
    exam = introduce(backbone, compose(Cast(read_pack(world), "val"), names, SEED, SCENES), "attention")
    drawn = [decision for number in NUMBERS for _, decision in composed_decisions(exam, number)]
    return {"photos": decisions(concepts, one_at_a_time(backbone, concepts, 1, "attention")), "composed": drawn}


def balanced(answers: dict[str, list[Decision]]) -> list[Decision]:
    """Repeat the answers of the smaller sets, so that every set counts about alike."""
    most = max(len(some) for some in answers.values())
    return [decision for some in answers.values() for decision in some * max(1, round(most / len(some)))]


def fitted(backbone: Backbone, answers: Sequence[Decision], source: str) -> AnswerCorrection:
    """Fit a correction to answers that were given without one."""
    model = (backbone.fingerprint, backbone.card.decoder)
    said = torch.tensor([decision.score for decision in answers], dtype=torch.float64)
    margins = no_correction(*model).margin(said).tolist()
    return fit(*model, margins, [decision.truth for decision in answers], source=source)


def corrected(correction: AnswerCorrection, answers: Sequence[Decision]) -> list[Decision]:
    """Give the answers as they are with a correction."""
    plain = no_correction(correction.fingerprint, correction.decoder)
    said = torch.tensor([decision.score for decision in answers], dtype=torch.float64)
    told = correction.probability(plain.margin(said)).tolist()
    return [Decision(d.truth, score, d.same_group, d.scene) for d, score in zip(answers, told, strict=True)]


def main() -> None:
    """Read the command line, fit, save and say what it changes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    options = parser.parse_args()
    (options.model / FILE_NAME).unlink(missing_ok=True)
    saved_correction.cache_clear()
    backbone = load_backbone(options.model)
    answers = validation(backbone, options.world, options.data)
    told = {name: len(some) for name, some in answers.items()}
    correction = fitted(backbone, balanced(answers), f"training/mini/correct.py, validation answers {told}")
    for name, some in answers.items():
        alone = fitted(backbone, some, name)
        print(f"{name}: scale {alone.scale:.3f}, bias {alone.bias:.3f} by itself")
        print("  before", report(some, 0.5), "\n  after ", report(corrected(correction, some), 0.5))
    correction.save(options.model / FILE_NAME)
    (options.model / FILE_NAME).chmod(0o644)
    print(f"scale {correction.scale:.3f}, bias {correction.bias:.3f} in {options.model / FILE_NAME}")


if __name__ == "__main__":
    main()
