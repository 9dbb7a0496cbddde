"""What the similarity filter costs in answers: recall with the concepts it chooses, and with the right one forced in.

    python benchmarks/real_concepts.py PHOTOS OUT --unseen --limit 1200
    python benchmarks/filtered_answers.py OUT [--model mini] [--context 8] [--questions N] [--json FILE]

Each photo of OUT/questions is looked at with `--context` concepts in the prompt: those that the filter finds most like
it in OUT/library ("filtered"), and the same with the right one in the place of the last if it is not among them
("forced in"). A photo counts if the right concept is recognized at the threshold. One table, by source of the photos,
with 95 % intervals from resampled things (photos of one thing belong together).
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import ego
import ego.media
from ego.backbones.loading import hide_progress

RESAMPLED = 2_000


@dataclass(frozen=True)
class Outcome:
    """One photo.

    Attributes:
        name: Its thing.
        source: Where it is from.
        rank: Place of the right concept among those the filter finds; None if it is not among the first hundred.
        filtered: Whether it is recognized among the concepts that the filter chose.
        forced: Whether it is recognized when it is in the prompt in any case.
    """

    name: str
    source: str
    rank: int | None
    filtered: bool
    forced: bool


def looked_at(personal: ego.Ego, photo: Path, name: str, source: str, context: int) -> Outcome:
    tokens = personal.backbone.encode_image(ego.media.read_image(photo).picture)
    found = [one.name for one in personal.store.nearest(tokens.rows, personal.backbone.fingerprint, 100)]
    rank = found.index(name) if name in found else None
    chosen = found[:context] if rank is not None and rank < context else [*found[: context - 1], name]
    seen = personal.recognize(photo, names=chosen)[name].present
    return Outcome(name, source, rank, bool(seen and rank is not None and rank < context), seen)


def ratio(outcomes: Sequence[Outcome]) -> float:
    forced = sum(one.forced for one in outcomes)
    return sum(one.filtered for one in outcomes) / forced if forced else float("nan")


def interval(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    things = sorted({one.name for one in outcomes})
    by_thing = [[one for one in outcomes if one.name == thing] for thing in things]
    generator = np.random.default_rng(0)
    drawn = (generator.integers(0, len(things), len(things)) for _ in range(RESAMPLED))
    ratios = [ratio([one for number in numbers for one in by_thing[number]]) for numbers in drawn]
    low, high = np.nanpercentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def row(label: str, outcomes: Sequence[Outcome], context: int) -> str:
    def share(values: Iterable[bool]) -> str:
        return f"{np.mean(list(values)):.2f}"

    low, high = interval(outcomes)
    cells = [
        label,
        str(len(outcomes)),
        share(one.rank == 0 for one in outcomes),
        share(one.rank is not None and one.rank < context for one in outcomes),
        share(one.filtered for one in outcomes),
        share(one.forced for one in outcomes),
        f"{ratio(outcomes):.2f} [{low:.2f}, {high:.2f}]",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--context", type=int, default=8)
    parser.add_argument("--questions", type=int, default=None)
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    hide_progress()
    personal = ego.Ego(ego.load_backbone(chosen.model), store=ego.ConceptStore(chosen.out / "library"))
    folder = chosen.out / "questions"
    lines = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    outcomes = [
        looked_at(personal, folder / line["file"], line["name"], line["source"], chosen.context)
        for line in lines[: chosen.questions]
    ]
    concepts = personal.store.count(personal.backbone.fingerprint)
    print(f"{concepts} concepts, {chosen.context} in the prompt\n")
    print("| photos of | photos | first | among the chosen | filtered | forced in | filtered / forced |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for source in sorted({one.source for one in outcomes}):
        print(row(source, [one for one in outcomes if one.source == source], chosen.context))
    print(row("all", outcomes, chosen.context))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([asdict(one) for one in outcomes]), encoding="utf-8")


if __name__ == "__main__":
    main()
