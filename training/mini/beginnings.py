"""Where the language stage begins: tower and identity head of stage A, attention that compares like with like.

Starting the projector from the identity head gives every visual row, from the first step on, coordinates in which two
views of one subject are close; equal query and key projections make attention look for similar rows ("mimetic
initialisation", Trockman and Kolter 2023). Both are only starting points.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import InternVLForConditionalGeneration

ROW_SCALE = 0.1  # root mean square of a visual row, of the order of a word's embedding
KEY_NOISE = 0.3


def with_prefix(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the entries under a prefix."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


@torch.no_grad()
def begin(model: InternVLForConditionalGeneration, stage_a: dict[str, Any]) -> None:
    """Set tower, projector and attention of a fresh model."""
    weights = stage_a["model"]
    model.model.vision_tower.load_state_dict(with_prefix(weights, "tower."))
    _projector(model.model.multi_modal_projector, with_prefix(weights, "part."))
    for layer in model.model.language_model.layers:
        _compare_alike(layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.head_dim)


def _projector(projector: nn.Module, head: dict[str, Tensor]) -> None:
    """Copy the identity head into the first coordinates; the others read its hidden units at random."""
    if projector.linear_1.weight.shape != head["0.weight"].shape:
        return  # a language model of another width than the tower starts from random numbers
    known = min(len(head["2.weight"]), len(projector.linear_2.weight) // 2)
    projector.linear_1.weight.copy_(head["0.weight"])
    projector.linear_1.bias.copy_(head["0.bias"])
    nn.init.normal_(projector.linear_2.weight, std=float(head["2.weight"].std()))
    projector.linear_2.weight[:known] = head["2.weight"][:known]
    projector.linear_2.bias.zero_()
    features = torch.randn(1024, projector.layer_norm.normalized_shape[0], device=projector.linear_1.weight.device)
    projector.linear_2.weight.mul_(ROW_SCALE / projector(features).square().mean().sqrt())


def _compare_alike(query: nn.Linear, key: nn.Linear, head_dim: int) -> None:
    """Make the keys of each group nearly equal to the queries that read them."""
    heads, groups = query.out_features // head_dim, key.out_features // head_dim
    shared = key.weight.view(groups, 1, head_dim, -1).expand(-1, heads // groups, -1, -1).reshape_as(query.weight)
    query.weight.copy_(shared + KEY_NOISE * query.weight)
