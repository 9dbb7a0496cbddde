"""What a memory is valid for: digests of the weights that make visual tokens, and of the image processing."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import transformers
from torch import Tensor

from ego.memory import Fingerprint

SAMPLES = 64
"""Values read of each parameter, evenly spaced: enough to tell checkpoints apart, fast on any of them."""


def fingerprint_of(model: Any, *, model_id: str, revision: str, image_settings: Mapping[str, Any]) -> Fingerprint:
    """Take the fingerprint of a loaded model.

    Args:
        model: A Hugging Face model, in any number format, on any device, offloaded or not.
        model_id: Hub name or folder, for messages.
        revision: Commit of the checkpoint, for messages.
        image_settings: Effective settings of the image processor.
    """
    return Fingerprint(
        model_id=model_id,
        revision=revision,
        model_type=model.config.model_type,
        dim=model.config.get_text_config().hidden_size,
        weights=weights_digest(model),
        processor=_digest(json.dumps(image_settings, sort_keys=True)),
        transformers=transformers.__version__,
    )


def weights_digest(model: Any) -> str:
    """Digest vision tower, projector and input embedding.

    Values are read as bfloat16, so that float32 and bfloat16 loads of a bfloat16 checkpoint agree.
    """
    language, embedding = _language_modules(model), model.get_input_embeddings()
    return _digest_of(model, lambda module: module is embedding or id(module) not in language)


def decoder_digest(model: Any) -> str:
    """Digest the language model: what a fine-tuned decoder over the same visual tokens differs in."""
    language = _language_modules(model)
    return _digest_of(model, lambda module: id(module) in language)


def _language_modules(model: Any) -> set[int]:
    return {id(module) for module in model.get_decoder().modules()} | {id(model.get_output_embeddings())}


def _digest_of(model: Any, wanted: Callable[[Any], bool]) -> str:
    digest = hashlib.sha256()
    for name, values, shape in sorted(_parameters(model, wanted), key=lambda entry: entry[0]):
        digest.update(f"{name} {list(shape)} ".encode())
        digest.update(values.view(torch.int16).numpy().tobytes())
    return digest.hexdigest()


def _parameters(model: Any, wanted: Callable[[Any], bool]) -> Iterator[tuple[str, Tensor, torch.Size]]:
    """Yield name, sample and shape of every parameter of the wanted modules."""
    for prefix, module in model.named_modules():
        own = dict(module.named_parameters(recurse=False))
        if own and wanted(module):
            with _materialized(module, own):
                for name, parameter in module.named_parameters(recurse=False):
                    yield f"{prefix}.{name}", _sample(parameter), parameter.shape


def _materialized(module: Any, parameters: Mapping[str, Tensor]) -> AbstractContextManager[Any]:
    """Bring offloaded parameters back for a moment."""
    if not any(parameter.is_meta for parameter in parameters.values()):
        return nullcontext()
    from accelerate.utils import align_module_device  # noqa: PLC0415  (an extra; whoever offloads has it)

    context: AbstractContextManager[Any] = align_module_device(module, torch.device("cpu"))
    return context


def _sample(parameter: Tensor) -> Tensor:
    flat = parameter.detach().reshape(-1)
    return flat[torch.tensor(_spots(flat.numel()), dtype=torch.long, device=flat.device)].to(torch.bfloat16).cpu()


def _spots(size: int) -> list[int]:
    """Choose evenly spread indices; in whole numbers, since float32 cannot tell neighbours beyond 2^24."""
    count = min(SAMPLES, size)
    return [(size - 1) * spot // max(1, count - 1) for spot in range(count)]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
