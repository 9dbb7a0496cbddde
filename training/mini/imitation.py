"""Where the projector begins: rows that hold what stage A reads in visual tokens, each thing in its own place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from beginnings import ALIKE, DOWN, IDENTITY, IDENTITY_SIZE, ROW, ROW_MARK, SUBJECT, WORDS
from colours import COLOURS
from nouns import NOUNS
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

SPOKEN = {"colour": COLOURS, "noun": NOUNS}  # what a row says in words
CLEARNESS = 1.5  # how steeply likeness to a word becomes its share
QUIET = 0.2  # how much loud words cost: they would drown whose row it is
LESS = 0.2  # how much identity counts along axes that attention does not compare
SEEN_TOKENS = 30_000  # by which the axes are chosen


@dataclass(frozen=True)
class Reading:
    """What stage A reads in visual tokens: what rows shall hold outside of the words, and log-shares of words."""

    held: Tensor  # token coordinate
    told: Mapping[str, Tensor]  # "colour", "noun": token word


def reading(stage_a: Mapping[str, Tensor], features: Tensor, axes: Tensor) -> Reading:
    """Read visual tokens [token width] as stage A does; identity along some axes."""

    def read(name: str) -> Tensor:
        return features @ stage_a[f"{name}.weight"].T + stage_a[f"{name}.bias"]

    identity = IDENTITY_SIZE * identity_of(stage_a, features) @ axes.T
    row = torch.full((len(features), 1), ROW_MARK)
    # How far down a token stands, not how far across: attention counts that.
    held = torch.cat([identity, row, read("subject").clamp(-3, 3), read("place")[:, 1:]], 1)
    return Reading(held, {name: read(name).log_softmax(-1) for name in SPOKEN})


def identity_of(stage_a: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """Give the identity that stage A sees in single tokens, of length one."""
    hidden = nn.functional.gelu(features @ stage_a["part.0.weight"].T + stage_a["part.0.bias"])
    return nn.functional.normalize(hidden @ stage_a["part.2.weight"].T + stage_a["part.2.bias"], dim=-1)


def identity_axes(stage_a: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """Give the directions [axis, identity] in which identity varies most, the most important first."""
    seen = identity_of(stage_a, features)
    directions = torch.linalg.eigh(seen.T @ seen)[1].flip(-1)
    return directions[:, : IDENTITY.stop - IDENTITY.start].T.contiguous()


def imitate(
    projector: nn.Module,
    stage_a: dict[str, Any],
    features: Tensor,
    table: Tensor,
    tokenizer: PreTrainedTokenizerFast,
    *,
    steps: int = 1500,
    at_once: int = 1024,
    rate: float = 2e-3,
    seed: int = 0,
) -> dict[str, float]:
    """Teach the projector to make rows of what stage A reads; `features` [token, width]. Gives the last losses.

    Words need not be what stage A says, only as near to the words that it says: the projector is narrow.
    """
    generator = torch.Generator().manual_seed(seed)

    def some(number: int) -> Tensor:
        return features[torch.randint(len(features), (number,), generator=generator)].float()

    with torch.no_grad():
        axes = identity_axes(stage_a, some(SEEN_TOKENS))
    _take_over(projector, stage_a, axes)
    words = {name: table[[tokenizer.encode(f" {word}")[0] for word in said]][:, WORDS] for name, said in SPOKEN.items()}
    held = [*range(IDENTITY.start, IDENTITY.stop), ROW, SUBJECT, DOWN]
    counts = torch.ones(len(held))
    counts[ALIKE : IDENTITY.stop - IDENTITY.start] = LESS  # attention compares the first axes only
    optimiser = torch.optim.Adam(projector.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=0.1)
    losses: dict[str, float] = {}
    for _ in range(steps):
        tokens = some(at_once)
        with torch.no_grad():
            wanted = reading(stage_a, tokens, axes)
        rows = projector(tokens)
        parts = {"held": ((rows[:, held] - wanted.held).square() * counts).sum(-1).mean()}
        parts |= {name: _unlike(rows[:, WORDS], words[name], wanted.told[name]) for name in SPOKEN}
        loss = torch.stack(list(parts.values())).sum() + QUIET * rows[:, WORDS].square().sum(-1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        losses = {name: 0.98 * losses.get(name, part.item()) + 0.02 * part.item() for name, part in parts.items()}
    return losses


def _unlike(rows: Tensor, words: Tensor, wanted: Tensor) -> Tensor:
    """Compare the words that rows [row coordinate] are like with those wanted, as log-shares [row word]."""
    told = (CLEARNESS * rows @ (words - words.mean(0)).T).log_softmax(-1)
    return nn.functional.kl_div(told, wanted, reduction="batchmean", log_target=True)


@torch.no_grad()
def _take_over(projector: nn.Module, stage_a: Mapping[str, Tensor], axes: Tensor) -> None:
    """Begin the projector as the identity head and the linear read-outs: gelu(z) - gelu(-z) is z."""
    hidden = len(stage_a["part.0.weight"])
    # Without the first, how far across a token stands.
    facts = torch.cat([stage_a[f"{name}.weight"] for name in ("place", "subject", "colour")])[1:]
    offsets = torch.cat([stage_a[f"{name}.bias"] for name in ("place", "subject", "colour")])[1:]
    free = min(len(facts), (len(projector.linear_1.weight) - hidden) // 2)
    facts, offsets = facts[:free], offsets[:free]
    projector.linear_1.weight[: hidden + 2 * free] = torch.cat([stage_a["part.0.weight"], facts, -facts])
    projector.linear_1.bias[: hidden + 2 * free] = torch.cat([stage_a["part.0.bias"], offsets, -offsets])
    projector.linear_2.weight.zero_()
    projector.linear_2.bias.zero_()
    projector.linear_2.weight[IDENTITY, :hidden] = axes @ stage_a["part.2.weight"]
    projector.linear_2.bias[IDENTITY] = axes @ stage_a["part.2.bias"]
    for fact, mark in enumerate((DOWN, SUBJECT)):
        projector.linear_2.weight[mark, hidden + fact] = 1.0
        projector.linear_2.weight[mark, hidden + free + fact] = -1.0
    projector.linear_2.bias[ROW] = ROW_MARK
