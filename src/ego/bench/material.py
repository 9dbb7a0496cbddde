"""Concepts and a picture to measure with: pixels at random, names of usual length, a fifth of the tokens kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ego.backbones.huggingface import HuggingFaceBackbone
from ego.memory import ConceptMemory
from ego.prompt import Prompt, query_prompt
from ego.visual_tokens import VisualTokens

SIDE = 448
VISUAL_TOKENS = 256
KEPT = 0.2  # the cap of a memory, see `EgoConfig.budget`
QUESTION = "What is my friend number 1 doing in this image?"


@dataclass(frozen=True, eq=False)
class Material:
    """What all ways share.

    Attributes:
        backbone: The model.
        references: One image for each concept.
        memories: The concepts, made of a fifth of their tokens.
        whole: The same concepts, made of all their tokens.
        picture: What is asked about, encoded.
    """

    backbone: HuggingFaceBackbone
    references: tuple[Image.Image, ...]
    memories: tuple[ConceptMemory, ...]
    whole: tuple[ConceptMemory, ...]
    picture: VisualTokens

    def first(self, count: int) -> "Material":
        """Take some of the concepts."""
        return Material(self.backbone, self.references[:count], self.memories[:count], self.whole[:count], self.picture)

    def prompt(self, memories: Sequence[ConceptMemory], question: str = QUESTION) -> Prompt:
        """Ask about the picture."""
        return query_prompt(memories, [self.picture], question)


def material(backbone: HuggingFaceBackbone, concepts: int) -> Material:
    """Make concepts and a picture."""
    references = tuple(_noise(number) for number in range(1, concepts + 1))
    encoded = [backbone.encode_image(reference) for reference in references]
    names = [f"my friend number {number}" for number in range(1, concepts + 1)]
    return Material(
        backbone,
        references,
        tuple(memory_of(backbone, name, _some(tokens)) for name, tokens in zip(names, encoded, strict=True)),
        tuple(memory_of(backbone, name, tokens) for name, tokens in zip(names, encoded, strict=True)),
        backbone.encode_image(_noise(0)),
    )


def memory_of(backbone: HuggingFaceBackbone, name: str, tokens: VisualTokens) -> ConceptMemory:
    """Remember these tokens under a name, without a story."""
    return ConceptMemory(name, "", "", tokens, (), backbone.fingerprint, "2026-01-01T00:00:00+00:00")


def _some(tokens: VisualTokens) -> VisualTokens:
    return tokens.select(torch.linspace(0, len(tokens) - 1, round(KEPT * len(tokens))).long())


def _noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
