"""Measure the figures of the model card, through the library.

    python evaluate.py --world WORLD.npz --data DATA_FOLDER --model MODEL_FOLDER --to figures.json

Nothing seen in training or used for tuning is in the test figures; thresholds "from validation" were chosen on other
concepts.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from composed_exam import examine_composed
from exam import compose, masked_photos, photo_concepts
from names import random_names
from photo_exam import examine_attention, examine_photos
from sources import read_pack
from subjects import Cast

from ego import load_backbone

SEEDS = {"val": 101, "test": 202}


def main() -> None:
    """Read the command line, measure, and write the figures as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--part", choices=tuple(SEEDS), default="test")
    parser.add_argument("--concepts", type=int, default=80)
    parser.add_argument("--scenes", type=int, default=200)
    options = parser.parse_args()
    backbone = load_backbone(options.model)
    figures: dict[str, object] = {"part": options.part}

    def told(name: str, value: object) -> None:
        figures[name] = value
        print(name, json.dumps(value, indent=1), flush=True)
        options.to.write_text(json.dumps(figures, indent=1) + "\n")

    told("attention", examine_attention(backbone, masked_photos(options.data)))
    tests = {
        part: photo_concepts(options.data, part)
        for part in (("dreambooth", "myvlm") if options.part == "test" else ("validation",))
    }
    told("photos", examine_photos(backbone, photo_concepts(options.data, "validation"), tests))
    names = random_names(np.random.default_rng(SEEDS[options.part]), options.concepts)
    composed = compose(Cast(read_pack(options.world), options.part), names, SEEDS[options.part], options.scenes)
    for selector in ("all", "attention"):
        told(
            f"composed, {'full reference' if selector == 'all' else 'attention selection'}",
            examine_composed(backbone, composed, selector),
        )


if __name__ == "__main__":
    main()
