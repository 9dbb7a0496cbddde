"""Engines: what answers a conversation with an owner's memories in mind."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ego.backbones.base import Backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.errors import ConfigError
from ego.server.engines.base import Engine
from ego.server.engines.llama.context import LlamaContext
from ego.server.engines.llama.engine import LlamaEngine
from ego.server.engines.llama.probe import require_rows, require_same
from ego.server.engines.local import LocalEngine
from ego.server.engines.vllm.engine import VllmEngine
from ego.server.engines.vllm.replicas import Replicas
from ego.server.settings import ServiceSettings
from ego.server.work import ModelThread

VLLM_KEY_VARIABLE = "EGO_VLLM_KEY"
LLAMA_SLOTS = 4
LLAMA_TOKENS = 8192
"""Most tokens of a prompt with its answer: keys and values of all slots are held from the start."""


def choose(
    backbone: Backbone, settings: ServiceSettings, vllm: Sequence[str], llama: Path | None = None
) -> Callable[[ModelThread], Engine]:
    """Choose the engine: vLLM servers or llama.cpp where there are any, else the model in this process.

    Raises:
        ConfigError: If the model cannot be laid out for the engine, or a GGUF file holds another one.
    """
    if vllm and llama is not None:
        raise ConfigError("answers come from one engine; give --vllm or --llama")
    if not vllm and llama is None:
        return lambda model: LocalEngine(model, settings.answer_tokens)
    if not isinstance(backbone, HuggingFaceBackbone):
        raise ConfigError("vLLM and llama.cpp answer for models of transformers only; leave --vllm and --llama out")
    if llama is not None:
        return _llama(backbone, settings, llama)
    key = os.environ.get(VLLM_KEY_VARIABLE, "")
    return lambda model: VllmEngine(backbone, model, Replicas(vllm, key, settings.timeout), settings.answer_tokens)


def _llama(backbone: HuggingFaceBackbone, settings: ServiceSettings, file: Path) -> Callable[[ModelThread], Engine]:
    require_rows(backbone)
    context = LlamaContext(
        file,
        slots=min(LLAMA_SLOTS, settings.batch),
        tokens=min(LLAMA_TOKENS, backbone.card.context_length),
        threads=torch.get_num_threads(),
        exact=backbone.dtype == torch.float32,
    )
    try:
        require_same(backbone, context, file)
    except ConfigError:
        context.close()
        raise
    return lambda model: LlamaEngine(backbone, model, context, longest=settings.answer_tokens, depth=settings.queue)
