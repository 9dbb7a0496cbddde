"""Engines: what answers a conversation with an owner's memories in mind."""

import os
from collections.abc import Callable, Sequence

from ego.backbones.base import Backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.errors import ConfigError
from ego.server.engines.base import Engine
from ego.server.engines.local import LocalEngine
from ego.server.engines.vllm.engine import VllmEngine
from ego.server.engines.vllm.replicas import Replicas
from ego.server.settings import ServiceSettings
from ego.server.work import ModelThread

VLLM_KEY_VARIABLE = "EGO_VLLM_KEY"


def choose(backbone: Backbone, settings: ServiceSettings, vllm: Sequence[str]) -> Callable[[ModelThread], Engine]:
    """Choose the engine: vLLM servers where there are any, else the model in this process.

    Raises:
        ConfigError: If the model cannot be laid out for vLLM.
    """
    if not vllm:
        return lambda model: LocalEngine(model, settings.answer_tokens)
    if not isinstance(backbone, HuggingFaceBackbone):
        raise ConfigError("vLLM answers for models of transformers only; leave --vllm out")
    key = os.environ.get(VLLM_KEY_VARIABLE, "")
    return lambda model: VllmEngine(backbone, model, Replicas(vllm, key, settings.timeout), settings.answer_tokens)
