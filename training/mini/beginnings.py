"""Where the language stage begins: tower and identity head of stage A, attention that compares like with like.

Starting the projector from the identity head gives every visual row, from the first step on, coordinates in which two
views of one subject are close; a few of its hidden units pass on what other heads of stage A read: where the token
stands, whether it shows the main subject, its colour. Equal query and key projections make attention look for similar
rows; output projections that undo the value projections make it pass on what it found ("mimetic initialisation",
Trockman and Kolter 2023): a name collects the rows before it, and a later row that resembles them collects the name.
Embeddings begin large beside what the layers add, so that this is not drowned by noise. All of it is only a starting
point.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tower import identity_rows
from transformers import AutoModelForImageTextToText, InternVLForConditionalGeneration

EMBEDDING_SCALE = 0.5  # root mean square of a word's embedding; the last norm makes up for it in the logits
ROW_SCALE = 0.5  # of a visual row
ATTENTION_SCALE = 0.25  # of what attention passes on
INNER_SCALE = 0.1  # of what the feed-forward part adds at random
NOISE = 0.3
FACTS = ("place", "subject", "colour")  # linear read-outs of stage A
FACT_SCALE = 2.0  # of their directions, beside the identity head's


def with_prefix(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the entries under a prefix."""
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


@torch.no_grad()
def begin(model: InternVLForConditionalGeneration, stage_a: dict[str, Any]) -> None:
    """Set tower, projector and attention of a fresh model; `balance` is to follow."""
    projector = model.model.multi_modal_projector
    nn.init.normal_(projector.linear_2.weight, std=float(stage_a["model"]["part.3.weight"].std()))
    projector.linear_2.bias.zero_()
    _see(model, stage_a)
    for layer in model.model.language_model.layers:
        attention = layer.self_attn
        _compare_alike(attention.q_proj, attention.k_proj, attention.head_dim)
        _pass_on(attention.o_proj, attention.v_proj, attention.head_dim)
        layer.mlp.down_proj.weight.mul_(INNER_SCALE)
    embedding = model.get_input_embeddings().weight
    gain = EMBEDDING_SCALE / embedding.std()
    embedding.mul_(gain)
    model.model.language_model.norm.weight.div_(gain)


@torch.no_grad()
def go_on(model: InternVLForConditionalGeneration, known: Path, stage_a: dict[str, Any] | None) -> None:
    """Take over an exported model, and the tower and heads of a stage A that went on from it, if one did."""
    exported = AutoModelForImageTextToText.from_pretrained(known, dtype=torch.float32)
    model.load_state_dict(exported.state_dict())
    if stage_a is None:
        return
    projector = model.model.multi_modal_projector
    rows = identity_rows(projector)
    size = projector.linear_2.weight[:rows].norm()
    _see(model, stage_a)
    gain = size / projector.linear_2.weight[:rows].norm()
    projector.linear_2.weight[:rows] *= gain
    projector.linear_2.bias[:rows] *= gain


@torch.no_grad()
def balance(projector: nn.Module, features: Tensor) -> None:
    """Centre visual rows on zero and give them the size of words, measured on real features [token, width].

    Rows that outweigh the words twentyfold drown in every text token what it is; answers are then never learnt.
    """
    rows = projector(features.float())
    centre = rows.mean(0)
    gain = ROW_SCALE / (rows - centre).square().mean().sqrt()
    projector.linear_2.bias.copy_((projector.linear_2.bias - centre) * gain)
    projector.linear_2.weight *= gain


def _see(model: InternVLForConditionalGeneration, stage_a: dict[str, Any]) -> None:
    """Set the tower, and let the projector's first coordinates be identity and its idlest hidden units tell facts."""
    weights, projector = stage_a["model"], model.model.multi_modal_projector
    model.model.vision_tower.load_state_dict(with_prefix(weights, "tower."))
    head = with_prefix(weights, "part.")
    if projector.linear_1.weight.shape != head["1.weight"].shape:
        return  # a language model of another width than the tower starts from random numbers
    projector.layer_norm.load_state_dict(with_prefix(head, "0."))
    projector.linear_1.load_state_dict(with_prefix(head, "1."))
    known = identity_rows(projector)
    projector.linear_2.weight[:known], projector.linear_2.bias[:known] = (
        head["3.weight"][:known],
        head["3.bias"][:known],
    )
    facts, offsets = _facts(weights, projector.layer_norm)
    signs = torch.cat([facts, -facts]), torch.cat([offsets, -offsets])  # gelu(z) - gelu(-z) is z
    idle = projector.linear_2.weight[:known].norm(dim=0).argsort()[: len(signs[0])]
    projector.linear_1.weight[idle], projector.linear_1.bias[idle] = signs
    directions = FACT_SCALE * torch.randn(len(projector.linear_2.weight) - known, len(facts), device=facts.device)
    projector.linear_2.weight[known:, idle] = torch.cat([directions, -directions], 1) * head["3.weight"].std()
    projector.linear_2.weight[:known, idle] = 0


def _facts(weights: dict[str, Tensor], norm: nn.LayerNorm) -> tuple[Tensor, Tensor]:
    """Fold the linear read-outs of stage A, made for the tower's output, into ones that stand behind the norm."""
    matrix = torch.cat([weights[f"{name}.weight"] for name in FACTS])
    offset = torch.cat([weights[f"{name}.bias"] for name in FACTS])
    scale, shift = weights["tower.layernorm.weight"], weights["tower.layernorm.bias"]
    spread = (scale.square().mean() + shift.var()).sqrt()  # of the tower's output; its mean is that of `shift`
    folded = matrix * spread / norm.weight
    return folded, offset + matrix.sum(1) * shift.mean() - folded @ norm.bias


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
