"""A prompt -> the rows that a decoder reads: words embedded, memories and pictures as they are."""

import torch
from jaxtyping import Float
from torch import Tensor

from ego.backbones.huggingface import HuggingFaceBackbone
from ego.prompt import Prompt


@torch.no_grad()
def embedded(backbone: HuggingFaceBackbone, prompt: Prompt) -> Float[Tensor, "token dim"]:
    """Give the rows of a prompt, float32, in the memory of the CPU."""
    _, tokens = backbone.lay_out(prompt)
    rows: Tensor = backbone.model.get_input_embeddings()(tokens.ids.to(backbone.device)).float().cpu()
    if tokens.features:
        rows[tokens.visual] = torch.cat([block.rows.float().cpu() for block in tokens.features])
    return rows
