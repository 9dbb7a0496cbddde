"""Logits behind several continuations of one context, in as few passes as fit.

Models in which every layer sees everything take the continuations as branches of one sequence (`branches.py`), without
a copy of the context for each. Where windows or recurrent states would count the other branches, continuations are rows
of a batch. Whether a model keeps branches apart is not believed but tried, at the first use.
"""

import logging
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ego.backbones.assembly import Tokens
from ego.backbones.branches import Fork, forks_of, packed, tree_arguments, tree_of
from ego.backbones.prefix import PrefixState, fork
from ego.backbones.runner import Runner
from ego.backbones.tolerance import relative_difference, tolerance

_log = logging.getLogger(__name__)

BATCH_TOKENS = 16_384
"""Most tokens of a batch of rows, context counted once per row: keys and values of this many are held at a time."""
TREE_TOKENS = 2048
"""Most tokens of one tree: its mask has this many rows, one column for each token of context and tree."""


class Scorer:
    """Scores what follows each of several continuations."""

    def __init__(self, runner: Runner, *, branches: bool = True, batch_tokens: int = BATCH_TOKENS) -> None:
        """Prepare.

        Args:
            runner: The model.
            branches: Use branches of one sequence where the model can.
            batch_tokens: Most tokens of a batch of rows.
        """
        self._runner, self._batch_tokens = runner, batch_tokens
        self._branches = branches and runner.can.branches
        self._tried = False

    @torch.no_grad()
    def last_logits(self, suffixes: Sequence[Tokens], past: PrefixState | None) -> Float[Tensor, "prompt vocab"]:
        """Score what follows each of several stretches over the same past."""
        if len(suffixes) == 1:
            return self._alone(suffixes[0], past)[None]
        if not self._branches:
            return self._rows_over_pictures(suffixes, past)
        scores = self._trees(forks_of(suffixes), past)
        if self._tried or self._tried_branches(suffixes[-1], scores[-1], past):
            return scores
        return self._rows_over_pictures(suffixes, past)

    def _tried_branches(self, suffix: Tokens, scores: Tensor, past: PrefixState | None) -> bool:
        """Compare one branch of the first tree with the same question alone."""
        difference = relative_difference(scores, self._alone(suffix, past))
        self._branches = difference <= tolerance(self._runner.like.dtype)
        self._tried = True
        if not self._branches:
            _log.warning("the model does not keep branches of one sequence apart (%.0f %%)", 100 * difference)
        return self._branches

    def _alone(self, suffix: Tokens, past: PrefixState | None) -> Float[Tensor, " vocab"]:
        return self._runner.run(suffix, past)[0][-1].float().cpu()

    def _trees(self, forks: Sequence[Fork], past: PrefixState | None) -> Float[Tensor, "prompt vocab"]:
        rows: dict[int, Tensor] = {}
        for pack in packed(forks, TREE_TOKENS):
            rows |= self._long_tree(pack[0], past) if len(pack) == 1 else self._tree(pack, past)
        return torch.stack([rows[member] for member in range(len(rows))])

    def _long_tree(self, one: Fork, past: PrefixState | None) -> dict[int, Tensor]:
        """Run a fork that may be too long for one tree: its trunk first, its branches over it."""
        if len(one) <= TREE_TOKENS:
            return self._tree([one], past)
        if len(one.trunk):
            past = self._runner.run(one.trunk, past)[1]
        nothing = one.trunk.between(0, 0)
        single = [Fork(nothing, (b,), (m,)) for b, m in zip(one.branches, one.members, strict=True)]
        rows: dict[int, Tensor] = {}
        for pack in packed(single, TREE_TOKENS):
            rows |= self._tree(pack, past)
        return rows

    def _tree(self, forks: Sequence[Fork], past: PrefixState | None) -> dict[int, Tensor]:
        """Run forks as one sequence."""
        tree = tree_of(forks)
        runner = self._runner
        before = None if past is None else past.tokens
        arguments = tree_arguments(tree, can=runner.can, form=runner.form, like=runner.like, past=before)
        ends = tree.ends.to(runner.like.device)
        logits = runner.forward(arguments, None if past is None else fork(past.cache), keep=ends).logits[0]
        return dict(zip(tree.members, logits.float().cpu(), strict=True))

    def _rows_over_pictures(
        self, suffixes: Sequence[Tokens], past: PrefixState | None
    ) -> Float[Tensor, "prompt vocab"]:
        """Run pictures that several continuations share once, and what follows them as rows."""
        rows: dict[int, Tensor] = {}
        for one in forks_of(suffixes):
            if len(one.members) > 1 and one.trunk.features:
                shared = self._runner.run(one.trunk, past)[1]
                rows |= dict(zip(one.members, self._rows(one.branches, shared), strict=True))
        rest = [member for member in range(len(suffixes)) if member not in rows]
        rows |= dict(zip(rest, self._rows([suffixes[member] for member in rest], past), strict=True))
        return torch.stack([rows[member] for member in range(len(suffixes))])

    def _rows(self, suffixes: Sequence[Tokens], past: PrefixState | None) -> list[Tensor]:
        rows: dict[int, Tensor] = {}
        behind, full = 0 if past is None else len(past.tokens), self._runner.can.full_attention
        for batch in batches_of([behind + len(one) for one in suffixes], self._batch_tokens, even=not full):
            cache = None if past is None else fork(past.cache, copies=len(batch))
            arguments = self._runner.arguments([suffixes[index] for index in batch], past)
            logits = self._runner.forward(arguments, cache, keep=1).logits[:, -1]
            rows |= dict(zip(batch, logits.float().cpu(), strict=True))
        return [rows[index] for index in range(len(suffixes))]


def batches_of(lengths: Sequence[int], most_tokens: int, *, even: bool = False) -> Iterator[list[int]]:
    """Group rows into batches, similar lengths together; keys and values of a batch are held at a time.

    Args:
        lengths: Tokens of each row, its context included.
        most_tokens: Most tokens of a batch, padding included; a longer row stands alone.
        even: Only rows of one length stand together: padding would be seen.

    Yields:
        The numbers of the rows of each batch.
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        uneven = even and bool(batch) and lengths[batch[0]] != lengths[row]
        if batch and (uneven or (len(batch) + 1) * lengths[row] > most_tokens):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
