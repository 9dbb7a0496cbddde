"""What the similarity filter costs in answers: recall with the concepts it chooses, and with the right one forced in.

    python benchmarks/real_concepts.py PHOTOS OUT --unseen --limit 1500
    python benchmarks/filtered_answers.py OUT [--context 8] [--candidates 8 16 32] [--every N] [--json FILE]

Each photo of OUT/questions is looked at with all of OUT/library, which has to be one that is searched (more than 1,000
concepts), by `Ego.recognize` with `EgoConfig.candidates` as given, `--context` concepts in a prompt. "Forced in" is one
prompt of the best by the filter, the right one in the place of the last if it is not among them. A photo counts if the
right concept is recognized at the threshold; how many others are recognized stands beside it. 95 % intervals are from
resampled things (photos of one thing belong together).
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import ego
import ego.media
from ego.backbones.loading import hide_progress
from ego.crowd import CROWD
from ego.errors import InputError
from ego.results import Recognition

RESAMPLED = 2_000


@dataclass(frozen=True)
class Look:
    """What came of one photo.

    Attributes:
        right: Whether the right concept is recognized.
        others: How many others are.
        likely: Whether the right one is among the likeliest that fit into one prompt: questions are asked with these.
        seconds: Of the processor.
    """

    right: bool
    others: int
    likely: bool
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """One photo.

    Attributes:
        name: Its thing.
        source: Where it is from.
        rank: Place of the right concept among those the filter finds; None if it is not among the first hundred.
        forced: With the right concept in the prompt in any case.
        looks: By number of candidates.
    """

    name: str
    source: str
    rank: int | None
    forced: Look
    looks: dict[int, Look]


def look(seen: Callable[[], dict[str, Recognition]], name: str, context: int) -> Look:
    started = time.process_time()
    found = seen()
    seconds = time.process_time() - started
    likeliest = sorted(found, key=lambda one: -found[one].probability)[:context]
    present = [one for one in found if found[one].present]
    return Look(name in present, len(set(present) - {name}), name in likeliest, seconds)


def outcome(askers: dict[int, ego.Ego], photo: Path, name: str, source: str, context: int) -> Outcome:
    personal = next(iter(askers.values()))
    tokens = personal.backbone.encode_image(ego.media.read_image(photo).picture)
    found = [one.name for one in personal.store.nearest(tokens.rows, personal.backbone.fingerprint, 100)]
    rank = found.index(name) if name in found else None
    names = found[:context] if name in found[:context] else [*found[: context - 1], name]
    looks = {count: look(lambda asker=asker: asker.recognize(photo), name, context) for count, asker in askers.items()}
    return Outcome(name, source, rank, look(lambda: personal.recognize(photo, names=names), name, context), looks)


def ratio(outcomes: Sequence[Outcome], candidates: int) -> float:
    forced = sum(one.forced.right for one in outcomes)
    return sum(one.looks[candidates].right for one in outcomes) / forced if forced else float("nan")


def interval(outcomes: Sequence[Outcome], candidates: int) -> tuple[float, float]:
    things = sorted({one.name for one in outcomes})
    by_thing = [[one for one in outcomes if one.name == thing] for thing in things]
    generator = np.random.default_rng(0)
    drawn = (generator.integers(0, len(things), len(things)) for _ in range(RESAMPLED))
    ratios = [ratio([one for number in numbers for one in by_thing[number]], candidates) for numbers in drawn]
    low, high = np.nanpercentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def show_candidates(outcomes: Sequence[Outcome], counts: Sequence[int]) -> None:
    """Show what the number of candidates does."""
    print("| candidates | among them | recognized | of forced in | others recognized | among the likeliest | CPU s |")
    print("|--:|--:|--:|---|--:|--:|--:|")
    for count in counts:
        looks = [one.looks[count] for one in outcomes]
        low, high = interval(outcomes, count)
        among = np.mean([one.rank is not None and one.rank < count for one in outcomes])
        print(
            f"| {count} | {among:.2f} | {np.mean([one.right for one in looks]):.2f} "
            f"| {ratio(outcomes, count):.2f} [{low:.2f}, {high:.2f}] | {np.mean([one.others for one in looks]):.1f} "
            f"| {np.mean([one.likely for one in looks]):.2f} | {np.mean([one.seconds for one in looks]):.2f} |"
        )
    forced = [one.forced for one in outcomes]
    print(
        f"| forced in | 1.00 | {np.mean([one.right for one in forced]):.2f} | "
        f"| {np.mean([one.others for one in forced]):.1f} | | {np.mean([one.seconds for one in forced]):.2f} |\n"
    )


def show_sources(outcomes: Sequence[Outcome], counts: Sequence[int], context: int) -> None:
    """Show each source of photos by itself: recall, and others recognized."""
    asked = " | ".join(f"{count} candidates" for count in counts)
    print(f"| photos of | photos | first | among the first {context} | forced in | {asked} |")
    print(f"|---|--:|--:|--:|--:|{'--:|' * len(counts)}")
    for source in sorted({one.source for one in outcomes}):
        some = [one for one in outcomes if one.source == source]
        cells = [
            f"{np.mean([one.rank == 0 for one in some]):.2f}",
            f"{np.mean([one.rank is not None and one.rank < context for one in some]):.2f}",
            *(both([one.forced for one in some]), *(both([one.looks[count] for one in some]) for count in counts)),
        ]
        print(f"| {source} | {len(some)} | {' | '.join(cells)} |")


def both(looks: Sequence[Look]) -> str:
    return f"{np.mean([one.right for one in looks]):.2f}, {np.mean([one.others for one in looks]):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--context", type=int, default=8)
    parser.add_argument("--candidates", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--json", type=Path, default=None)
    chosen = parser.parse_args()
    hide_progress()
    backbone, store = ego.load_backbone(chosen.model), ego.ConceptStore(chosen.out / "library")
    backbone.card = replace(backbone.card, concepts_per_prompt=chosen.context)
    concepts = store.count(backbone.fingerprint)
    if concepts <= CROWD:
        raise InputError(f"{store.folder} holds {concepts} concepts; give more than {CROWD:,}: those are searched")
    configs = {count: ego.EgoConfig(candidates=count, cache_megabytes=0) for count in chosen.candidates}
    askers = {count: ego.Ego(backbone, store, config) for count, config in configs.items()}
    folder = chosen.out / "questions"
    lines = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    outcomes = [
        outcome(askers, folder / line["file"], line["name"], line["source"], chosen.context)
        for line in lines[:: chosen.every]
    ]
    print(f"{concepts} concepts, {chosen.context} in a prompt, {len(outcomes)} photos\n")
    show_candidates(outcomes, chosen.candidates)
    show_sources(outcomes, chosen.candidates, chosen.context)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([asdict(one) for one in outcomes]), encoding="utf-8")


if __name__ == "__main__":
    main()
