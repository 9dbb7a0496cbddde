"""Many reference views of one thing -> the few that show most of it.

A memory takes its tokens' room in every prompt. The view nearest to the mean of all comes first, then always the one
that is least like those chosen already (farthest-first traversal): together they cover how the thing can look.
"""

from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from ego.errors import InputError
from ego.memory import ConceptMemory


def best_views(memory: ConceptMemory, count: int) -> ConceptMemory:
    """Keep the `count` views that show most; all if there are no more.

    Raises:
        InputError: If none is to be kept.
    """
    if count < 1:
        raise InputError(f"{count} views make no memory; keep 1 or more")
    if count >= len(memory.views):
        return memory
    looks = _looks(memory)
    middle = int((looks @ looks.mean(0)).argmax())
    return _only(memory, _farthest_first(looks, [middle], count))


def best_additions(known: ConceptMemory, more: ConceptMemory, count: int) -> ConceptMemory:
    """Keep of new views the `count` that add most to a memory: always the one least like everything kept already.

    Raises:
        InputError: If none is to be kept.
    """
    if count < 1:
        raise InputError(f"{count} views add nothing; keep 1 or more")
    if count >= len(more.views):
        return more
    there = len(known.views)
    looks = torch.cat([_looks(known), _looks(more)])
    chosen = _farthest_first(looks, list(range(there)), there + count)
    return _only(more, [view - there for view in chosen[there:]])


def _only(memory: ConceptMemory, views: Sequence[int]) -> ConceptMemory:
    """Keep some views, in their order."""
    kept = sorted(views)
    ends = list(accumulate(len(view.kept) for view in memory.views))
    rows = [row for place in kept for row in range(ends[place] - len(memory.views[place].kept), ends[place])]
    return memory.with_views(tuple(memory.views[place] for place in kept), memory.tokens.select(torch.tensor(rows)))


def _looks(memory: ConceptMemory) -> Float[Tensor, "view dim"]:
    """One direction for each view: the mean of its tokens."""
    parts = memory.tokens.rows.float().cpu().split([len(view.kept) for view in memory.views])  # type: ignore[no-untyped-call]
    return torch.nn.functional.normalize(torch.stack([part.mean(0) for part in parts]), dim=-1)


def _farthest_first(looks: Float[Tensor, "view dim"], chosen: list[int], count: int) -> list[int]:
    """Choose on from what is chosen until there are `count`."""
    likeness = looks @ looks.T
    while len(chosen) < count:
        nearest = likeness[:, chosen].amax(1)
        nearest[chosen] = 2.0  # above any likeness
        chosen = [*chosen, int(nearest.argmin())]
    return chosen
