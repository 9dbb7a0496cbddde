"""How many concepts a model can overlook in one prompt: the same lists and photos, asked in blocks of several sizes.

    python benchmarks/real_concepts.py PHOTOS OUT --unseen --limit 1200
    python benchmarks/concepts_per_prompt.py OUT [--model mini] [--list 16] [--questions 60]

A list is the right concept of a photo and others drawn at random from OUT/library, of which none is in the photo. It is
asked in blocks of 1, 2, 4, ... concepts (`ModelCard.concepts_per_prompt`). The answer: the block size with the highest
area under the ROC curve, and the largest one that is not significantly worse (95 % of resampled photos).
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import ego
from ego.backbones.loading import hide_progress

RESAMPLED = 1_000


@dataclass(frozen=True, eq=False)
class Answers:
    """What came of all photos in blocks of one size.

    Attributes:
        right: Probability of each photo's own concept.
        others: Probabilities of the others of its list.
        seconds: Of the processor, each photo.
    """

    right: np.ndarray
    others: np.ndarray
    seconds: float

    def area(self, photos: np.ndarray) -> float:
        """Probability that a concept that is there is placed over one that is not (area under the ROC curve)."""
        right, others = self.right[photos], np.sort(self.others[photos].ravel())
        below, until = np.searchsorted(others, right), np.searchsorted(others, right, side="right")
        return float(((below + until) / 2 / len(others)).mean())


def asked(personal: ego.Ego, photos: list[Path], lists: list[list[str]], block: int) -> Answers:
    backbone = personal.backbone
    backbone.card = replace(backbone.card, concepts_per_prompt=block)
    started, right, others = time.process_time(), [], []
    for photo, names in zip(photos, lists, strict=True):
        seen = personal.recognize(photo, names=names)
        right.append(seen[names[0]].probability)
        others.append([seen[name].probability for name in names[1:]])
    return Answers(np.array(right), np.array(others), (time.process_time() - started) / len(photos))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--list", type=int, default=16)
    parser.add_argument("--questions", type=int, default=60)
    chosen = parser.parse_args()
    hide_progress()
    personal = ego.Ego(ego.load_backbone(chosen.model), store=ego.ConceptStore(chosen.out / "library"))
    folder = chosen.out / "questions"
    lines = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    generator = np.random.default_rng(0)
    lines = [lines[number] for number in generator.permutation(len(lines))[: chosen.questions]]
    known = np.array(personal.store.names())
    lists = [
        [line["name"], *generator.choice(known[known != line["name"]], chosen.list - 1, replace=False).tolist()]
        for line in lines
    ]
    photos = [folder / line["file"] for line in lines]
    sizes = [2**power for power in range(chosen.list.bit_length()) if 2**power <= chosen.list]
    answers = {size: asked(personal, photos, lists, size) for size in sizes}
    show(answers, len(photos))


def show(answers: dict[int, Answers], count: int) -> None:
    everything, threshold = np.arange(count), ego.EgoConfig().threshold
    areas = {size: one.area(everything) for size, one in answers.items()}
    best = max(areas, key=areas.__getitem__)
    generator = np.random.default_rng(1)
    drawn = [generator.integers(0, count, count) for _ in range(RESAMPLED)]
    print(f"{count} photos\n\n| concepts in a prompt | area under ROC | behind the best | recall | false yes | CPU s |")
    print("|--:|--:|---|--:|--:|--:|")
    enough = best
    for size, one in answers.items():
        low, high = np.percentile([answers[best].area(some) - one.area(some) for some in drawn], [2.5, 97.5])
        if low <= 0:
            enough = max(enough, size)
        recall, false_yes = (one.right >= threshold).mean(), (one.others >= threshold).mean()
        print(
            f"| {size} | {areas[size]:.3f} | {areas[best] - areas[size]:.3f} [{low:.3f}, {high:.3f}] "
            f"| {recall:.2f} | {false_yes:.2f} | {one.seconds:.2f} |"
        )
    print(f"\nbest: {best}; the largest that is not significantly worse: {enough}")


if __name__ == "__main__":
    main()
