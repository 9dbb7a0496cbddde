"""Look at a GGUF file before it answers: it must be the model of this process, and take its prompts as rows."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from ego.backbones.huggingface import HuggingFaceBackbone
from ego.errors import ConfigError
from ego.server.engines.llama.context import LlamaContext
from ego.server.engines.llama.rows import embedded
from ego.server.engines.probing import no_thought, sample

TOLERANCE = 0.1
"""Most by which log-probabilities of the first word may differ, in the mean of all words. The embedded model's decoder
differs by 3e-6 in 32 bits, 0.003 in 16, 0.03 in 8 (Q8_0), 0.2 and more in fewer."""


def require_rows(backbone: HuggingFaceBackbone) -> None:
    """Refuse a model whose prompts llama.cpp cannot take as rows in a line, each seeing those before it.

    Raises:
        ConfigError: If it is one.
    """
    name, can = backbone.card.model_id, backbone.runner.can
    if thinking := no_thought(backbone):
        raise ConfigError(thinking)
    if backbone.card.has_deepstack:
        raise ConfigError(f"tokens of {name} have DeepStack levels, which llama.cpp does not take; leave --llama out")
    if backbone.has_axes:
        raise ConfigError(
            f"{name} places pictures on several axes (M-RoPE), but rows go into llama.cpp in a line; leave --llama "
            "out, or choose a model with one axis, such as InternVL3"
        )
    if can.type_argument:
        raise ConfigError(
            f"tokens of a picture see each other in {name}, but rows of llama.cpp see only those before them; leave "
            "--llama out"
        )


def require_same(backbone: HuggingFaceBackbone, context: LlamaContext, file: Path) -> None:
    """Refuse a file that holds another model: by width, by vocabulary, by the first word of an answer.

    Raises:
        ConfigError: If it does.
    """
    name, words = backbone.card.model_id, backbone.model.get_output_embeddings().weight.shape[0]
    if context.dim != backbone.card.dim:
        raise ConfigError(f"{file} reads rows of width {context.dim}, {name} of {backbone.card.dim}; convert {name}")
    if context.vocabulary != words:
        raise ConfigError(f"{file} knows {context.vocabulary} tokens, {name} {words}; convert {name}")
    if (apart := difference(backbone, context)) > TOLERANCE:
        raise ConfigError(
            f"{file} answers otherwise than {name}: log-probabilities of the first word differ by {apart:.2g} in the "
            f"mean, {TOLERANCE:g} is allowed; convert the weights of {name} themselves, to 16 or 32 bits"
        )


def difference(backbone: HuggingFaceBackbone, context: LlamaContext) -> float:
    """Ask both about a memory and a picture: how far log-probabilities of the first word are apart, in the mean."""
    prompt, _ = sample(backbone)
    here = backbone.next_token_logits([prompt])[0].log_softmax(-1)
    there = _first(context, embedded(backbone, prompt)).log_softmax(-1)
    return float((here - there).abs().mean())


def _first(context: LlamaContext, rows: Float[Tensor, "token dim"]) -> Float[Tensor, " vocab"]:
    context.keep(0, 0)
    return torch.from_numpy(context.read(0, rows.numpy(), 0))
