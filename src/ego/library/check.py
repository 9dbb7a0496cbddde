"""What is wrong with a library, found out from its memories and corrections alone: no model is loaded, no photo needed.

Each reference is held out in turn and compared with the others (late interaction between kept rows): is it most like
those of its own concept, on average? How often not, and for whom it is taken then, says which concepts are mistaken for
each other. Of concepts that were corrected, their corrections say more: each is judged by what is learnt from the
others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ego.corrections import Correction, log_odds, shift
from ego.memory import ConceptMemory
from ego.view_likeness import likeness, odd_view, view_rows

ENOUGH = 5  # corrections that an expected precision is taken from
RIVALS = 24  # concepts that each reference is compared with in full, the nearest by the means of their rows
FEW_ROWS = 8  # a view of fewer rows says little


@dataclass(frozen=True)
class CheckedConcept:
    """What was found out about one concept.

    Attributes:
        name: The user's name for it.
        views: How many references it has.
        precision: Expected share of its finds that are right; None if nothing can be said.
        judged_by: What that comes from: "corrections", "references", or "" for nothing.
        counted: How many finds it was counted from.
        mistaken_for: Other concepts that its references are taken for, and how many of them.
        takes: Other concepts of which references are taken for it, and how many.
        odd: The view that is unlike the others, counted from 0; None if there is none.
        weak: Views that say little: few of their tokens were kept.
    """

    name: str
    views: int
    precision: float | None
    judged_by: str
    counted: int
    mistaken_for: tuple[tuple[str, int], ...]
    takes: tuple[tuple[str, int], ...]
    odd: int | None
    weak: tuple[int, ...]

    @property
    def advice(self) -> tuple[str, ...]:
        """Say what to do about it; nothing if all is well."""
        told = []
        if self.odd is not None:
            told.append(f"view {self.odd} is unlike the others: is it the same thing?")
        told += [f"view {view} kept few tokens: a closer photo says more" for view in self.weak]
        if self.mistaken_for or self.takes:
            names = dict.fromkeys(name for name, _ in (*self.mistaken_for, *self.takes))
            told.append(f"is confused with {', '.join(names)}: add references that show what tells them apart")
        if self.views == 1:
            told.append("has one reference: a second one, from another side, would let it be judged")
        return tuple(told)


def check_library(
    memories: Sequence[ConceptMemory],
    corrections: Sequence[Correction] = (),
    thresholds: Mapping[str, float] | None = None,
) -> list[CheckedConcept]:
    """Check concepts of one model.

    Args:
        memories: All of one model; see `ConceptMemory.require`.
        corrections: What the user said, of any concept and model.
        thresholds: Name -> probability from which it counts as present; 0.5 for all others.
    """
    taken = _held_out(memories)
    limits = thresholds or {}
    return [_checked(memory, corrections, limits.get(memory.name, 0.5), taken) for memory in memories]


def _checked(
    memory: ConceptMemory, corrections: Sequence[Correction], threshold: float, taken: Counter[tuple[str, str]]
) -> CheckedConcept:
    odd, name = odd_view(memory), memory.name
    own = [one for one in corrections if one.concept == memory.identity and _answered_by(one, memory)]
    precision, by, counted = _by_corrections(own, threshold)
    if not by:
        precision, by, counted = _by_references(name, taken)
    return CheckedConcept(
        name=name,
        views=len(memory.views),
        precision=precision,
        judged_by=by,
        counted=counted,
        mistaken_for=_most({other: count for (shown, other), count in taken.items() if shown == name != other}),
        takes=_most({shown: count for (shown, other), count in taken.items() if other == name != shown}),
        odd=None if odd is None else odd.view,
        weak=tuple(number for number, view in enumerate(memory.views) if len(view.kept) < FEW_ROWS),
    )


def _by_corrections(own: Sequence[Correction], threshold: float) -> tuple[float | None, str, int]:
    """Judge each correction by the shift that the others give."""
    found = [
        one.there
        for one in own
        if one.margin + shift([other for other in own if other is not one]) >= log_odds(threshold)
    ]
    if len(own) < ENOUGH or not found:
        return None, "", 0
    return sum(found) / len(found), "corrections", len(found)


def _by_references(name: str, taken: Counter[tuple[str, str]]) -> tuple[float | None, str, int]:
    """Count of the references taken for a concept those that are its own."""
    right = taken[name, name]
    counted = sum(count for (_, other), count in taken.items() if other == name)
    return (right / counted, "references", counted) if counted else (None, "", 0)


def _held_out(memories: Sequence[ConceptMemory]) -> Counter[tuple[str, str]]:
    """Hold each reference out, but for single ones: count which concept it shows, and for which it is taken."""
    views = [(memory.name, rows) for memory in memories for rows in view_rows(memory)]
    places: dict[str, list[int]] = {}
    for number, (name, _) in enumerate(views):
        places.setdefault(name, []).append(number)
    nearest = _nearest([rows for _, rows in views])
    taken: Counter[tuple[str, str]] = Counter()
    for number, (name, rows) in enumerate(views):
        if len(places[name]) == 1:
            continue
        rivals = dict.fromkeys(views[other][0] for other in nearest[number].tolist() if other != number)
        alike = {
            rival: fmean(likeness(rows, views[other][1]) for other in places[rival] if other != number)
            for rival in (name, *islice(rivals, RIVALS))
        }
        taken[name, max(alike, key=lambda rival: alike[rival])] += 1
    return taken


def _most(counted: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _answered_by(one: Correction, memory: ConceptMemory) -> bool:
    """Tell whether the model of a memory gave the answer that was corrected."""
    return one.model.startswith(memory.fingerprint.weights[:16])


def _nearest(views: Sequence[Float[Tensor, "_ dim"]]) -> Int[Tensor, "view other"]:
    """Order all views by the likeness of their means to each view's, most alike first."""
    if not views:
        return torch.zeros(0, 0, dtype=torch.long)
    means = torch.nn.functional.normalize(torch.stack([rows.mean(0) for rows in views]), dim=-1)
    return (means @ means.T).argsort(1, descending=True)
