"""Test image against memories -> which concepts enter the prompt when they exceed the context budget (paper 3.3).

The paper does not give the formula; late interaction is ours: for each memory row the best cosine over the image's
tokens, averaged over the rows.
"""

from collections.abc import Sequence
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


def similarity(memory: Float[Tensor, "kept dim"], image: Float[Tensor, "visual dim"]) -> float:
    """Mean over memory rows of the maximum cosine over image tokens."""
    cosine = normalize(memory.float(), dim=-1) @ normalize(image.float(), dim=-1).T
    return float(cosine.amax(dim=1).mean())


def shortlist(memories: Sequence[ConceptMemory], images: Sequence[VisualTokens], budget: int) -> Shortlist:
    """Keep the most similar memories whose rows fit into `budget` tokens together; all when they all fit.

    Without an image there is nothing to compare with: the first ones that fit stay.
    """
    if sum(len(memory.tokens) for memory in memories) <= budget:
        return Shortlist(tuple(memories), ())
    ranked = _most_similar_first(memories, images)
    kept: list[ConceptMemory] = []
    for memory in ranked:
        if sum(len(each.tokens) for each in kept) + len(memory.tokens) <= budget:
            kept.append(memory)
    return Shortlist(
        tuple(memory for memory in memories if memory in kept),
        tuple(memory.name for memory in ranked if memory not in kept),
    )


def _most_similar_first(memories: Sequence[ConceptMemory], images: Sequence[VisualTokens]) -> list[ConceptMemory]:
    if not images:
        return list(memories)
    rows = torch.cat([image.rows for image in images])
    return sorted(memories, key=lambda memory: -similarity(memory.tokens.rows.to(rows.device), rows))
