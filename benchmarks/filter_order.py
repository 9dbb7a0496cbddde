"""In which order the similarity filter puts a library, for photos of its things: no model is loaded.

    python benchmarks/real_concepts.py PHOTOS OUT --unseen --limit 1500
    python benchmarks/filter_order.py OUT [--limit N]

Each photo of OUT/questions.npz is compared with the first N concepts of OUT/library in three ways: plain cosines, the
space of the filter index (centred and whitened), and that space both ways, as `FilterIndex.likeliest` does. Told is how
often the right thing is first, and among the first 8, 16 and 24, and what both ways gain over one way, with 95 %
intervals from resampled things (photos of one thing belong together).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import ego
from ego.library.filter.codes import REORDERED
from ego.library.filter.index import AXES
from ego.library.filter.late_interaction import best_first, found_in, late_interaction, unit
from ego.library.filter.space import fit_space

PLACES = (1, 8, 16, 24)
RESAMPLED = 2_000
PLAIN, ONE_WAY, BOTH_WAYS = "plain cosines", "in the space of the index", "the same, both ways"


def place_of(scores: np.ndarray, right: int) -> int:
    """Tell how many stand before the right one."""
    return int((scores > scores[right]).sum())


def places(rows: np.ndarray, counts: np.ndarray, tokens: Sequence[np.ndarray], right: Sequence[int]) -> dict[str, list]:
    """Place of the right concept for every photo, by each way; both ways reorder the best, as the index does."""
    space, plain = fit_space(rows, axes=AXES, centred=True, whitening=1.0), unit(rows)
    placed, found = space(rows), {PLAIN: [], ONE_WAY: [], BOTH_WAYS: []}
    starts = np.cumsum(counts) - counts
    for picture, wanted in zip(tokens, right, strict=True):
        found[PLAIN].append(place_of(late_interaction(plain, counts, unit(picture)), wanted))
        seen = space(picture)
        scores = late_interaction(placed, counts, seen)
        found[ONE_WAY].append(place_of(scores, wanted))
        best = np.sort(best_first(scores, REORDERED))
        of_best = np.concatenate([placed[starts[one] : starts[one] + counts[one]] for one in best])
        both = scores[best] + found_in(of_best, counts[best], seen)
        there = np.flatnonzero(best == wanted)
        found[BOTH_WAYS].append(place_of(both, int(there[0])) if len(there) else found[ONE_WAY][-1])
    return found


def interval(gains: np.ndarray, things: np.ndarray) -> tuple[float, float]:
    generator, known = np.random.default_rng(0), np.unique(things)
    sums = np.array([gains[things == thing].sum() for thing in known])
    drawn = generator.integers(0, len(known), (RESAMPLED, len(known)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / len(gains), [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--limit", type=int, default=None)
    chosen = parser.parse_args()
    memories = ego.ConceptStore(chosen.out / "library").load_all().memories[: chosen.limit]
    rows = np.concatenate([memory.tokens.rows.float().numpy() for memory in memories])
    counts = np.array([len(memory.tokens) for memory in memories])
    number = {memory.name: place for place, memory in enumerate(memories)}
    with np.load(chosen.out / "questions.npz", allow_pickle=False) as file:
        tokens = np.split(file["tokens"].astype(np.float32), np.cumsum(file["lengths"])[:-1])
        right = np.array([number[name] for name in file["wanted"].tolist()])
    found = {way: np.array(one) for way, one in places(rows, counts, tokens, right).items()}
    print(f"{len(memories)} concepts, {len(tokens)} photos\n\n| way | first | {' | '.join(map(str, PLACES[1:]))} |")
    print("|---|--:|--:|--:|--:|")
    for way, one in found.items():
        print(f"| {way} | {' | '.join(f'{(one < most).mean():.3f}' for most in PLACES)} |")
    for most in PLACES:
        gains = (found[BOTH_WAYS] < most).astype(float) - (found[ONE_WAY] < most)
        low, high = interval(gains, right)
        print(f"\nboth ways, among the first {most}: {gains.mean():+.3f} [{low:+.3f}, {high:+.3f}]", end="")
    print()


if __name__ == "__main__":
    main()
