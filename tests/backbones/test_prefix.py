"""Forks share what can be shared, copy what must be copied."""

from collections.abc import Callable

import torch

from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.prefix import fork
from ego.prompt import introduction_prompt
from tests.backbones import tiny


def prefilled(backbone: HuggingFaceBackbone) -> object:
    prompt = introduction_prompt(backbone.encode_image(tiny.picture()), "describe")
    return backbone.prefill(prompt, 1).state.cache


def test_a_fork_copies_no_keys_and_values(backbone: HuggingFaceBackbone) -> None:
    cache = prefilled(backbone)
    for copies in (1, 3):
        twin = fork(cache, copies)
        assert len(twin.layers) == len(cache.layers) > 0
        for layer, copy in zip(cache.layers, twin.layers, strict=True):
            assert copy is not layer
            if isinstance(getattr(layer, "keys", None), torch.Tensor) and layer.keys.numel():
                assert copy.keys.data_ptr() == layer.keys.data_ptr()
                assert copy.values.shape[0] == copies


def test_recurrent_states_are_copied(load: Callable[..., HuggingFaceBackbone]) -> None:
    cache = prefilled(load("qwen3_5"))
    twin = fork(cache)
    states = [
        (state, copied)
        for layer, copy in zip(cache.layers, twin.layers, strict=True)
        for name in ("conv_states", "recurrent_states")
        for state, copied in zip(getattr(layer, name, {}).values(), getattr(copy, name, {}).values(), strict=True)
        if isinstance(state, torch.Tensor)
    ]
    assert len(states) == 4  # two recurrent layers, two states each
    for state, copied in states:
        assert torch.equal(state, copied)
        assert state.data_ptr() != copied.data_ptr()
