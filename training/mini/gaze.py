"""Show attention the way from a reference to an answer, hop by hop, while the model is young.

A memory's rows stand before its name, so what a picture's token needs takes two hops: the name collects the rows, the
picture's token finds the name; two more bring the question's name to its memory and to the picture, a last one the
answer to the question's name. Left alone, a small model had not found this path after half an hour. The loss asks that
some of the attention of one layer per hop goes where the next hop needs it. Words of a description are not guided:
where they look is what the method measures.
"""

import torch
from collate import HOPS, Batch
from torch import Tensor, nn
from transformers.models.qwen2.modeling_qwen2 import apply_rotary_pos_emb

WEIGHT = 0.3
SMALLEST = 1e-5


def gaze_loss(text: nn.Module, states: tuple[Tensor, ...], batch: Batch) -> Tensor:
    """Compute the surprise at where the guided tokens should have looked, one layer per hop."""
    depth = text.config.num_hidden_layers
    collect, find, ask, answer = max(0, depth // 3 - 1), depth // 2 - 1, depth // 2, (2 * depth) // 3
    guided = [collect, find, find, find, ask, answer]
    weights = {layer: _attention(text, layer, states[layer], batch) for layer in sorted(set(guided))}
    return WEIGHT * torch.stack([_hop(weights[guided[hop]], batch.gazes[hop]) for hop in range(HOPS)]).sum()


def _hop(weights: Tensor, wanted: Tensor) -> Tensor:
    sequence, query = wanted.any(-1).nonzero(as_tuple=True)
    if len(sequence) == 0:
        return weights.sum() * 0.0
    share = (weights[sequence, query] * wanted[sequence, query]).sum(-1)
    return -share.clamp(min=SMALLEST).log().mean()


def _attention(text: nn.Module, index: int, state: Tensor, batch: Batch) -> Tensor:
    """Compute the attention of one layer anew [sequence, query, key], averaged over the first half of its heads."""
    layer = text.layers[index]
    attention, normed = layer.self_attn, layer.input_layernorm(state)
    shape = (*state.shape[:2], -1, attention.head_dim)
    query, key = (project(normed).view(shape).transpose(1, 2) for project in (attention.q_proj, attention.k_proj))
    query, key = apply_rotary_pos_emb(query, key, *text.rotary_emb(state, batch.positions))
    heads = query.shape[1] // 2
    key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    scores = (query[:, :heads] @ key[:, :heads].transpose(-1, -2)).float() * attention.scaling
    return scores.masked_fill(~batch.visible, float("-inf")).softmax(-1).mean(1)
