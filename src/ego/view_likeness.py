"""How alike the views of things are: late interaction between the rows that memories keep of them.

Every row of one view looks for the row of the other that is most like it, and the other way round; the mean of these
cosines says how much of what one view shows is in the other.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ego.memory import ConceptMemory

log = logging.getLogger(__name__)
FEWEST = 3  # views of which one can be unlike the others; of two nobody knows which
UNLIKE = 0.6
"""Share of the others' likeness among themselves below which a view is unlike them.

Measured on the 42 things of DreamBooth and MyVLM with the embedded model, two to five references and one photo of
another thing: it points at that photo in 0.57 to 0.60 of the cases, and wrongly at a reference in 0.06 or 0.07 of
untouched sets (at 0.7: 0.71, and 0.11 to 0.21). Gap: ours.
"""


@dataclass(frozen=True)
class OddView:
    """A view that is unlike the others of its concept.

    Attributes:
        view: Which, counted from 0.
        likeness: Mean likeness to the others.
        others: Mean likeness of the others among themselves.
    """

    view: int
    likeness: float
    others: float


def view_rows(memory: ConceptMemory) -> tuple[Float[Tensor, "row dim"], ...]:
    """Give the rows of each view, of length 1, on the CPU."""
    rows = torch.nn.functional.normalize(memory.tokens.rows.float().cpu(), dim=-1)
    return rows.split([len(view.kept) for view in memory.views])  # type: ignore[no-untyped-call, no-any-return]


def likeness(one: Float[Tensor, "row dim"], other: Float[Tensor, "other dim"]) -> float:
    """Compare two views, by rows of length 1; 1 is the same."""
    cosines = one @ other.T
    return float((cosines.amax(1).mean() + cosines.amax(0).mean()) / 2)


def likenesses(views: Sequence[Float[Tensor, "_ dim"]]) -> Float[Tensor, "view view"]:
    """Compare every view with every other."""
    table = torch.eye(len(views))
    for row, one in enumerate(views):
        for column in range(row):
            table[row, column] = table[column, row] = likeness(one, views[column])
    return table


def odd_view(memory: ConceptMemory) -> OddView | None:
    """Find the view that is unlike the others; None if there is none, or too few to tell."""
    count = len(memory.views)
    if count < FEWEST:
        return None
    table = likenesses(view_rows(memory)) - torch.eye(count)
    to_others = table.sum(1) / (count - 1)
    view = int(to_others.argmin())
    rest = [number for number in range(count) if number != view]
    among = float(table[rest][:, rest].sum()) / ((count - 1) * (count - 2))
    own = float(to_others[view])
    return OddView(view, own, among) if own < UNLIKE * among else None


def pointed_out(memory: ConceptMemory) -> ConceptMemory:
    """Say in the log that a view is unlike the others, if one is; gives the memory as it is."""
    odd = odd_view(memory)
    if odd is not None:
        log.warning(
            "view %d of %s is unlike its other references (likeness %.2f, theirs %.2f): is it the same thing? `ego "
            "concepts remove-view` takes it out",
            *(odd.view, memory.name, odd.likeness, odd.others),
        )
    return memory
