"""Test image against memories -> which concepts enter the prompt when they exceed the context budget (paper 3.3).

The paper does not give the formula; late interaction is ours: for each memory row the best cosine over the image's
tokens, averaged over the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from ego.memory import ConceptMemory
from ego.visual_tokens import VisualTokens


@dataclass(frozen=True)
class Shortlist:
    """Who enters the prompt.

    Attributes:
        kept: Memories in the order given.
        dropped: Names left out, least similar last.
    """

    kept: tuple[ConceptMemory, ...]
    dropped: tuple[str, ...]


def rows_of(memory: ConceptMemory) -> int:
    """Count the rows of a memory."""
    return len(memory.tokens)


def similarity(memory: Float[Tensor, "kept dim"], image: Float[Tensor, "visual dim"]) -> float:
    """Mean over memory rows of the maximum cosine over image tokens."""
    cosine = normalize(memory.float(), dim=-1) @ normalize(image.float(), dim=-1).T
    return float(cosine.amax(dim=1).mean())


def partial_similarity(memory: Float[Tensor, "kept dim"], image: Float[Tensor, "visual dim"]) -> float:
    """Mean over the better half of the memory's rows of the maximum cosine over image tokens.

    What is hidden in the picture, or turned away, counts for nothing.
    """
    cosine = normalize(memory.float(), dim=-1) @ normalize(image.float(), dim=-1).T
    best = cosine.amax(dim=1)
    return float(best.topk((len(best) + 1) // 2).values.mean())


def shortlist(
    memories: Sequence[ConceptMemory],
    images: Sequence[VisualTokens],
    budget: int,
    cost: Callable[[ConceptMemory], int] = rows_of,
) -> Shortlist:
    """Keep the most similar memories that fit into `budget` tokens together; all when they all fit.

    Without an image there is nothing to compare with: the first ones that fit stay.

    Args:
        memories: In stable order.
        images: What is looked at.
        budget: Tokens.
        cost: Tokens that a memory takes.
    """
    costs = [cost(memory) for memory in memories]
    if sum(costs) <= budget:
        return Shortlist(tuple(memories), ())
    return _filled(memories, costs, _most_similar_first(memories, images), budget)


def fill(memories: Sequence[ConceptMemory], budget: int, cost: Callable[[ConceptMemory], int] = rows_of) -> Shortlist:
    """Keep the first memories of a ranking that fit into `budget` tokens together, in stable order.

    Args:
        memories: Most similar first.
        budget: Tokens.
        cost: Tokens that a memory takes.
    """
    stable = sorted(memories, key=lambda memory: memory.place)
    place = {id(memory): number for number, memory in enumerate(stable)}
    ranked = [place[id(memory)] for memory in memories]
    return _filled(stable, [cost(memory) for memory in stable], ranked, budget)


def _filled(memories: Sequence[ConceptMemory], costs: Sequence[int], ranked: Sequence[int], budget: int) -> Shortlist:
    """Go through a ranking and keep what still fits."""
    kept, left = set[int](), budget
    for index in ranked:
        if costs[index] <= left:
            kept.add(index)
            left -= costs[index]
    return Shortlist(
        tuple(memories[index] for index in sorted(kept)),
        tuple(memories[index].name for index in ranked if index not in kept),
    )


def _most_similar_first(memories: Sequence[ConceptMemory], images: Sequence[VisualTokens]) -> list[int]:
    """Indices of the memories, most similar first."""
    if not images:
        return list(range(len(memories)))
    rows = torch.cat([image.rows for image in images])
    scores = [similarity(memory.tokens.rows.to(rows.device), rows) for memory in memories]
    return sorted(range(len(memories)), key=lambda index: -scores[index])
