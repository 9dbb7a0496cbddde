"""Weights that a checkpoint lacks: refused, unless no answer depends on them.

transformers makes up what is missing. What it recomputes or takes from elsewhere (tied weights, buffers that are not
stored) it does not call missing. Of the rest, some take no part (the head of a vision tower whose features are taken
before it, a tower for sounds, counters of training): whatever is made of them, the answer to an image stays the same.
They are left without a value, so that nothing made up can ever be used.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ego.backbones.chat_format import PROBE_IMAGE
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.self_check import QUESTION
from ego.backbones.tolerance import relative_difference, tolerance
from ego.errors import BackboneError
from ego.prompt import introduction_prompt

LAYER = re.compile(r"\.\d+\.")


def missing_weights(model_id: str, model: Any, found: Mapping[str, Any]) -> list[str]:
    """List what transformers found missing and had to make up.

    Args:
        model_id: Hub name or folder.
        model: The model as it was loaded.
        found: What transformers says of the loading.

    Raises:
        BackboneError: If there are more layers of weights than the configuration counts.
    """
    known = {LAYER.sub(".#.", name) for name, _ in model.named_parameters()}
    over = sorted(name for name in found.get("unexpected_keys") or () if LAYER.sub(".#.", name) in known)
    if over:
        raise _apart(model_id, "hold more layers than config.json says:", over)
    return sorted(found.get("missing_keys") or ())


def require_unused(backbone: HuggingFaceBackbone, missing: Sequence[str]) -> None:
    """See that no answer depends on missing weights; take away the values that were made up for them.

    Raises:
        BackboneError: If one does.
    """
    if not missing:
        return
    made_up = _logits(backbone)
    weights = [backbone.model.get_parameter_or_buffer(name) for name in missing]
    for weight in weights:
        _take_away(weight)
    try:
        unused = relative_difference(_logits(backbone), made_up) <= tolerance(backbone.dtype)
    except (IndexError, RuntimeError, ValueError):  # a place in a table that is not there
        unused = False
    if not unused or any(weight.is_meta for weight in weights):
        raise _apart(backbone.card.model_id, "lack", missing)


@torch.no_grad()
def _take_away(weight: Tensor) -> None:
    if weight.is_floating_point():
        weight.fill_(float("nan"))
    elif weight.dtype != torch.bool:
        weight.fill_(torch.iinfo(weight.dtype).max)
    else:
        weight.logical_not_()


def _logits(backbone: HuggingFaceBackbone) -> Tensor:
    image = Image.linear_gradient("L").resize(PROBE_IMAGE).convert("RGB")
    prompt = introduction_prompt(backbone.encode_image(image), QUESTION)
    return backbone.next_token_logits([prompt])[0]


def _apart(model_id: str, what: str, names: Sequence[str]) -> BackboneError:
    return BackboneError(
        f"the weights of {model_id} {what} {names[0]}"
        + (f" and {len(names) - 1} more" if names[1:] else "")
        + "; weights and config.json do not belong together. Download or copy the whole model again"
    )
