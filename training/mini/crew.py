"""Several processes that train one model: on a CPU one per core wastes less than threads do.

    torchrun --nproc-per-node 2 language.py ...

Every process draws its own lessons; gradients are averaged, so that all keep the same weights.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as distributed
from torch import nn

RANK_SEED = 1000
PATIENCE = timedelta(hours=2)  # for the slowest process


@dataclass(frozen=True)
class Crew:
    """Which process this is, of how many."""

    rank: int = 0
    size: int = 1

    @property
    def seed(self) -> int:
        """Give what sets this process's data apart from the others'."""
        return self.rank * RANK_SEED

    @property
    def leads(self) -> bool:
        """Tell whether this process measures, logs and saves."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            distributed.barrier()

    def share_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Average the gradients over all processes."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient) / self.size)


ALONE = Crew()


def join_crew() -> Crew:
    """Join the processes that torchrun started, or work alone."""
    if "WORLD_SIZE" not in os.environ:
        return ALONE
    distributed.init_process_group("gloo", timeout=PATIENCE)
    return Crew(distributed.get_rank(), distributed.get_world_size())
