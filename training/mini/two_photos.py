"""Introduce every DreamBooth concept that did not teach with two photos; ask about its own photos and another's.

    python two_photos.py --data DATA_FOLDER [--model MODEL_FOLDER]

Prints the table of docs/experiments.md. The other concept is the first of the same group, one
that did not teach if there is one; without a group, the backpack.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from exam import PhotoConcept, photo_concepts

from ego import Concept, Ego, load_backbone

NAME = "Bo"
STRANGER = "backpack"
LIMIT = 0.5


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    options = parser.parse_args()
    backbone = load_backbone(options.model)
    unseen = photo_concepts(options.data, "dreambooth")
    everyone = [*unseen, *photo_concepts(options.data, "dreambooth", taught=True)]
    own, others = [], []
    print("| concept | the model's own words | tokens | its own photos | photos of another |\n|---|---|---|---|---|")
    for concept in unseen:
        personal = Ego(backbone)
        memory = personal.introduce(Concept(NAME, concept.references[:2]))
        other = _other(concept, everyone)
        right, wrong = (_probabilities(personal, shown.tests) for shown in (concept, other))
        own, others = [*own, *right], [*others, *wrong]
        words = "; ".join(view.description.split(",")[0] for view in memory.views)
        kept = sum(len(view.kept) for view in memory.views)
        print(f"| {concept.name} | {words} | {kept} | {_told(right)} | {other.name}: {_told(wrong)} |")
    found, taken = (sum(probability >= LIMIT for probability in some) for some in (own, others))
    print(f"\nAt {LIMIT}: {found} of {len(own)} own photos found, {taken} of {len(others)} others taken for it.")


def _other(concept: PhotoConcept, everyone: Sequence[PhotoConcept]) -> PhotoConcept:
    near = [one for one in everyone if one.group == concept.group and one.name != concept.name]
    return near[0] if near else next(one for one in everyone if one.name == STRANGER)


def _probabilities(personal: Ego, photos: Sequence[Path]) -> list[float]:
    return [personal.recognize(photo)[NAME].probability for photo in photos]


def _told(probabilities: Sequence[float]) -> str:
    return " ".join(f"{probability:.2f}" for probability in probabilities)


if __name__ == "__main__":
    main()
