"""Weights that a checkpoint lacks: refused, unless no answer depends on them.

transformers makes up what is missing. What it recomputes or takes from elsewhere (tied weights, buffers that are not
stored) it does not call missing. Of the rest, some take no part (the head of a vision tower whose features are taken
before it, a tower for sounds): they are left without a value (NaN), and the answer to an image is a number all the
same. So nothing made up can ever be used.
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
from ego.errors import BackboneError
from ego.prompt import introduction_prompt

LAYER = re.compile(r"\.\d+\.")
COUNTER = ".num_batches_tracked"
"""Counts the steps of training; no answer reads it."""


def take_away_missing(model_id: str, model: Any, found: Mapping[str, Any]) -> list[str]:
    """Take away what transformers made up for weights that it did not find.

    Args:
        model_id: Hub name or folder.
        model: The model as it was loaded.
        found: What transformers says of the loading.

    Returns:
        Names of those weights; `require_unused` must see that no answer depends on them.

    Raises:
        BackboneError: If there are more layers of weights than the configuration counts, or tables of whole numbers
            are missing.
    """
    known = {LAYER.sub(".#.", name) for name, _ in model.named_parameters()}
    over = sorted(name for name in found.get("unexpected_keys") or () if LAYER.sub(".#.", name) in known)
    if over:
        raise _apart(model_id, "hold more layers than config.json says:", over)
    missing = sorted(name for name in found.get("missing_keys") or () if not name.endswith(COUNTER))
    weights = [model.get_parameter_or_buffer(name) for name in missing]
    if not all(weight.is_floating_point() and not weight.is_meta for weight in weights):
        raise _apart(model_id, "lack", missing)
    with torch.no_grad():
        for weight in weights:
            weight.fill_(float("nan"))
    return missing


def require_unused(backbone: HuggingFaceBackbone, missing: Sequence[str]) -> None:
    """See that no answer depends on missing weights.

    Raises:
        BackboneError: If one does.
    """
    if missing and not bool(_logits(backbone).isfinite().all()):
        raise _apart(backbone.card.model_id, "lack", missing)


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
