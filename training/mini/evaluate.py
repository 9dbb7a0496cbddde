"""Measure the figures of the model card, through the library.

    python evaluate.py --world WORLD.npz --data DATA_FOLDER --model MODEL_FOLDER --to figures.json

Nothing seen in training or used for tuning is in the test figures; thresholds "from validation" were chosen on other
concepts.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from baselines import examine_baselines
from composed_exam import examine_composed, tuned_thresholds
from exam import PHOTO_SETS, compose, masked_photos, photo_concepts, unseen_references
from names import random_names
from photo_exam import examine_attention, examine_nouns, examine_photos
from sources import read_pack
from subjects import Cast

from ego import load_backbone

SEEDS = {"val": 101, "test": 202}
EXAMS = ("attention", "photos", "baselines", "composed")
SELECTIONS = {
    "full reference": "all",
    "attention selection": "attention",
    "uniform selection": "uniform",
    "selection by the true mask": "mask",
}


def main() -> None:
    """Read the command line, measure, and write the figures as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--part", choices=tuple(SEEDS), default="test")
    parser.add_argument("--exams", nargs="+", choices=EXAMS, default=EXAMS)
    parser.add_argument("--photo-sets", nargs="+", help="photo sets to test on; all of the part by default")
    parser.add_argument("--selectors", nargs="+", choices=tuple(SELECTIONS.values()), default=["all", "attention"])
    parser.add_argument("--concepts", type=int, default=80)
    parser.add_argument("--scenes", type=int, default=200)
    options = parser.parse_args()
    backbone = load_backbone(options.model)
    figures: dict[str, object] = {"part": options.part}

    def told(name: str, value: object) -> None:
        figures[name] = value
        print(name, json.dumps(value, indent=1), flush=True)
        options.to.write_text(json.dumps(figures, indent=1) + "\n")

    if "attention" in options.exams:
        told("attention", examine_attention(backbone, masked_photos(options.data)))
    if "photos" in options.exams:
        tests = {name: photo_concepts(options.data, name) for name in options.photo_sets or PHOTO_SETS[options.part]}
        told("nouns", examine_nouns(backbone, unseen_references(tests.values())))
        told("photos", examine_photos(backbone, tests))
    if "baselines" in options.exams:
        tests = {name: photo_concepts(options.data, name) for name in options.photo_sets or PHOTO_SETS[options.part]}
        told("baselines", examine_baselines(tests))
    if "composed" in options.exams:
        assets = read_pack(options.world)
        validation, composed = (
            compose(
                Cast(assets, part),
                random_names(np.random.default_rng(SEEDS[part]), options.concepts),
                SEEDS[part],
                options.scenes,
            )
            for part in ("val", options.part)
        )
        for name, selector in SELECTIONS.items():
            if selector in options.selectors:
                tuned = tuned_thresholds(backbone, validation, selector)
                told(f"composed, {name}", examine_composed(backbone, composed, selector, tuned))


if __name__ == "__main__":
    main()
