"""A prompt in tokens, and the pieces it is put together from."""

from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Int
from torch import Tensor

from ego.backbones.tokenization import Words
from ego.visual_tokens import VisualTokens


@dataclass(frozen=True, eq=False)
class Placed:
    """Visual tokens in a prompt.

    Attributes:
        tokens: The tokens.
        runs: First position and length of every run of placeholders.
    """

    tokens: VisualTokens
    runs: tuple[tuple[int, int], ...]

    @property
    def positions(self) -> Int[Tensor, " visual"]:
        """Position of every token in the prompt."""
        return torch.cat([torch.arange(start, start + length) for start, length in self.runs])


@dataclass(frozen=True)
class ChatTokens:
    """A prompt in tokens.

    Attributes:
        ids: Token ids, placeholders included.
        visuals: Places and tokens of every visual part, in order.
        part_ends: For every part of the prompt, the position behind its last token.
    """

    ids: tuple[int, ...]
    visuals: tuple[Placed, ...]
    part_ends: tuple[int, ...]


@dataclass(frozen=True)
class Run:
    """Placeholders side by side: all of a visual part, or a stretch of it.

    Attributes:
        visual: Which visual part, counted in order.
        length: Number of placeholders.
        token: The placeholder.
    """

    visual: int
    length: int
    token: int


class PartEnd:
    """Here a part of the prompt is complete."""


Piece: TypeAlias = Words | Run | PartEnd
