"""Several continuations of one context -> an attention tree: one sequence in which no branch sees another one.

Continuations with the same pictures share a trunk (their common beginning); what is left of each is a branch of its
own. A token sees everything before the tree, its trunk and its own branch, and keeps the positions it has alone: every
answer is what the model would say to that continuation alone. Keys and values of the context are held once, whatever
the number of branches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ego.backbones.assembly import FeatureForm, Tokens, forward_arguments, joined
from ego.backbones.capabilities import Capabilities

NO_BRANCH = -1


@dataclass(frozen=True, eq=False)
class Fork:
    """Continuations that begin alike.

    Attributes:
        trunk: Their common beginning; may be empty.
        branches: What follows it in each; never empty.
        members: Which continuations these are.
    """

    trunk: Tokens
    branches: tuple[Tokens, ...]
    members: tuple[int, ...]

    def __len__(self) -> int:
        """Count the tokens."""
        return len(self.trunk) + sum(map(len, self.branches))


@dataclass(frozen=True, eq=False)
class Tree:
    """Forks laid out in one sequence.

    Attributes:
        tokens: All tokens, with their rotary positions.
        order: Number of tokens of the tree before each token on its own way.
        visible: Which tokens of the tree (columns) each token (rows) sees.
        ends: Last token of every branch.
        members: Which continuation every branch is.
    """

    tokens: Tokens
    order: Int[Tensor, " token"]
    visible: Bool[Tensor, "token token"]
    ends: Int[Tensor, " branch"]
    members: tuple[int, ...]


def forks_of(suffixes: Sequence[Tokens]) -> list[Fork]:
    """Find continuations that show the same pictures, and their common beginning."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for member, tokens in enumerate(suffixes):
        alike.setdefault(tuple(id(block) for block in tokens.features), []).append(member)
    return [_fork([suffixes[member] for member in members], tuple(members)) for members in alike.values()]


def tree_of(forks: Sequence[Fork]) -> Tree:
    """Lay forks out one after another, trunk before branches."""
    stretches, trunks, branches, order, ends = [], [], [], [], []
    for number, fork in enumerate(forks):
        behind = 0
        for branch, tokens in enumerate((fork.trunk, *fork.branches), start=NO_BRANCH):
            stretches.append(tokens)
            trunks += [number] * len(tokens)
            branches += [branch] * len(tokens)
            order.append(torch.arange(len(tokens)) + behind)
            behind = len(fork.trunk)
            if branch != NO_BRANCH:
                ends.append(len(trunks) - 1)
    members = tuple(member for fork in forks for member in fork.members)
    visible = _visible(torch.tensor(trunks), torch.tensor(branches))
    return Tree(joined(stretches), torch.cat(order), visible, torch.tensor(ends), members)


def tree_arguments(
    tree: Tree, *, can: Capabilities, form: FeatureForm, like: Tensor, past: Tokens | None
) -> dict[str, Any]:
    """Build the arguments of a forward pass over a tree; for the parameters see `assembly.forward_arguments`."""
    behind = 0 if past is None else len(past)
    arguments = forward_arguments([tree.tokens], can=can, form=form, like=like, past=past)
    seen = torch.ones(len(tree.tokens), behind, dtype=torch.bool)
    order = tree.order + behind
    places = torch.cat([order[None], tree.tokens.places]) if can.multimodal_positions else order[None]
    return arguments | {
        "attention_mask": torch.cat([seen, tree.visible], dim=1)[None, None].to(like.device),
        "position_ids": (places[:, None] if can.multimodal_positions else places).to(like.device),
    }


def packed(forks: Sequence[Fork], most_tokens: int) -> Iterator[list[Fork]]:
    """Put forks together as long as they have at most so many tokens; a longer one stands alone."""
    pack: list[Fork] = []
    for fork in forks:
        if pack and sum(map(len, pack)) + len(fork) > most_tokens:
            yield pack
            pack = []
        pack.append(fork)
    if pack:
        yield pack


def _fork(alike: Sequence[Tokens], members: tuple[int, ...]) -> Fork:
    size = _common(alike)
    branches = tuple(tokens.between(size) for tokens in alike)
    return Fork(alike[0].between(0, size), branches, members)


def _common(alike: Sequence[Tokens]) -> int:
    """Count the tokens with which all begin; less than any of them has, and never half a picture."""
    first, shortest = alike[0], min(map(len, alike)) - 1
    same = torch.ones(shortest, dtype=torch.bool)
    for tokens in alike[1:]:
        places = (tokens.places[:, :shortest] == first.places[:, :shortest]).all(dim=0)
        same &= (tokens.ids[:shortest] == first.ids[:shortest]) & places
    size = int(same.long().cumprod(0).sum())
    while size and first.visual[size - 1] and first.visual[size]:
        size -= 1
    return size


def _visible(trunks: Int[Tensor, " token"], branches: Int[Tensor, " token"]) -> Bool[Tensor, "token token"]:
    """Let every token see what precedes it in its trunk and on its branch."""
    earlier = torch.ones(len(trunks), len(trunks), dtype=torch.bool).tril()
    on_the_way = (branches == NO_BRANCH) | (branches == branches[:, None])
    return earlier & (trunks == trunks[:, None]) & on_the_way
