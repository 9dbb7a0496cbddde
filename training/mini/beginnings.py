"""Where the language stage begins: tower and identity head of stage A, attention that compares like with like.

Starting the projector from the identity head gives every visual row, from the first step on, coordinates in which two
views of one subject are close. Equal query and key projections make attention look for similar rows; output projections
that undo the value projections make it pass on what it found ("mimetic initialisation", Trockman and Kolter 2023): a
name collects the rows before it, and a later row that resembles them collects the name. Embeddings begin large beside
what the layers add, so that this is not drowned by noise. All of it is only a starting point.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import InternVLForConditionalGeneration

EMBEDDING_SCALE = 0.2  # root mean square of a word's embedding; the last norm makes up for it in the logits
ROW_SCALE = 0.25  # of a visual row
ATTENTION_SCALE = 0.5  # of what attention passes on
INNER_SCALE = 0.1  # of what the feed-forward part adds at random
NOISE = 0.3


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
        attention = layer.self_attn
        _compare_alike(attention.q_proj, attention.k_proj, attention.head_dim)
        _pass_on(attention.o_proj, attention.v_proj, attention.head_dim)
        layer.mlp.down_proj.weight.mul_(INNER_SCALE)
    embedding = model.get_input_embeddings().weight
    gain = EMBEDDING_SCALE / embedding.std()
    embedding.mul_(gain)
    model.model.language_model.norm.weight.div_(gain)


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
    query.weight.copy_(_for_every_head(key.weight, query.out_features, head_dim) + NOISE * query.weight)


def _pass_on(output: nn.Linear, value: nn.Linear, head_dim: int) -> None:
    """Make the output projection turn values back into the coordinates they came from."""
    values = _for_every_head(value.weight, output.in_features, head_dim)
    output.weight.copy_(ATTENTION_SCALE * (values.T + NOISE * output.weight))


def _for_every_head(weight: Tensor, wanted: int, head_dim: int) -> Tensor:
    """Repeat the projection of each group for the heads that share it."""
    groups = len(weight) // head_dim
    repeated = weight.view(groups, 1, head_dim, -1).expand(-1, wanted // len(weight), -1, -1)
    return repeated.reshape(wanted, -1)
