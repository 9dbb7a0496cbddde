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
    for name, values, shape in sorted(_weights(model, wanted), key=lambda entry: entry[0]):
        digest.update(f"{name} {list(shape)} ".encode())
        digest.update(values)
    return digest.hexdigest()


def _weights(model: Any, wanted: Callable[[Any], bool]) -> Iterator[tuple[str, bytes, torch.Size]]:
    """Yield name, sample and shape of all weights of the wanted modules.

    Quantized checkpoints keep some as buffers (AWQ, GPTQ), or as tensors made of several (torchao).
    """
    for prefix, module in model.named_modules():
        own = _own_tensors(module)
        if own and wanted(module):
            with _materialized(module, own):
                for name, tensor in _own_tensors(module).items():
                    for part, plain in _plain_tensors(tensor.detach()):
                        yield f"{prefix}.{name}{part}", _sample(plain), plain.shape


def _own_tensors(module: Any) -> dict[str, Tensor]:
    """List what a module saves: its parameters, and the buffers that are part of a checkpoint."""
    passing = module._non_persistent_buffers_set
    buffers = {name: value for name, value in module.named_buffers(recurse=False) if name not in passing}
    return {**dict(module.named_parameters(recurse=False)), **buffers}


def _plain_tensors(tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Take a tensor that is made of others apart."""
    if not hasattr(tensor, "__tensor_flatten__"):
        yield "", tensor
        return
    names, _ = tensor.__tensor_flatten__()
    for name in names:
        for part, plain in _plain_tensors(getattr(tensor, name)):
            yield f".{name}{part}", plain


def _materialized(module: Any, parameters: Mapping[str, Tensor]) -> AbstractContextManager[Any]:
    """Bring offloaded parameters back for a moment."""
    if not any(parameter.is_meta for parameter in parameters.values()):
        return nullcontext()
    from accelerate.utils import align_module_device  # noqa: PLC0415  (only whoever offloads needs it)

    context: AbstractContextManager[Any] = align_module_device(module, torch.device("cpu"))
    return context


def _sample(weights: Tensor) -> bytes:
    """Read some values: floats as bfloat16, whatever is smaller or whole as it is stored."""
    flat = weights.reshape(-1)
    if flat.is_floating_point() and flat.element_size() == 1:  # FP8 cannot be indexed everywhere
        flat = flat.view(torch.uint8)
    values = flat[torch.tensor(_spots(flat.numel()), dtype=torch.long, device=flat.device)]
    if values.is_floating_point():
        return bytes(values.to(torch.bfloat16).cpu().view(torch.int16).numpy().tobytes())
    return bytes(values.cpu().numpy().tobytes())


def _spots(size: int) -> list[int]:
    """Choose evenly spread indices; in whole numbers, since float32 cannot tell neighbours beyond 2^24."""
    count = min(SAMPLES, size)
    return [(size - 1) * spot // max(1, count - 1) for spot in range(count)]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
