"""Prefill once, fork for every query: forks share keys and values, nothing is copied.

Attention layers of a dynamic cache grow by concatenation, never in place, so a fork may hold the same tensors (65 us,
0 bytes). Recurrent layers (Qwen3.5) update their states in place and are copied; they are small.
"""

import copy
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ego.backbones.assembly import Tokens
from ego.backbones.base import Prefix
from ego.errors import BackboneError

GROWING = ("keys", "values")
IN_PLACE = ("conv_states", "recurrent_states")


@dataclass(frozen=True, eq=False)
class PrefixState:
    """What a prefilled prefix is made of: its tokens and the cache they left. Never run the model on this cache."""

    tokens: Tokens
    cache: Any


def past_of(prefix: Prefix | None, tokens: Tokens) -> PrefixState | None:
    """Check that a prefix is the beginning of a prompt, and not all of it.

    Raises:
        BackboneError: If it is not.
    """
    if prefix is None:
        return None
    state: PrefixState = prefix.state
    if prefix.length >= len(tokens) or not tokens.starts_with(state.tokens):
        raise BackboneError(
            "the prefix was made of other parts than this prompt begins with; "
            "prefill it from the same turns, memories and images in the same order"
        )
    return state


def held_bytes(cache: Any) -> int:
    """Count the bytes of keys, values and states that a cache holds."""
    held = [value for layer in cache.layers for value in vars(layer).values()]
    tensors = [inner for value in held for inner in (value.values() if isinstance(value, dict) else (value,))]
    return sum(tensor.nbytes for tensor in tensors if isinstance(tensor, Tensor))


def fork(cache: Any, copies: int = 1) -> Any:
    """Make an independent cache that begins with the same content, once per row of a batch."""
    return _with_layers(cache, [_fork_layer(layer, copies) for layer in cache.layers])


def rows_apart(cache: Any, count: int) -> list[Any]:
    """Give every row of a batch a cache of its own, without copying; for caches that only grow."""
    return [_with_layers(cache, [_row_of(layer, row) for layer in cache.layers]) for row in range(count)]


def _with_layers(cache: Any, layers: list[Any]) -> Any:
    twin = copy.copy(cache)
    twin.layers = layers
    return twin


def _row_of(layer: Any, row: int) -> Any:
    twin = copy.copy(layer)
    for name in GROWING:
        setattr(twin, name, getattr(layer, name)[row : row + 1])
    return twin


def _fork_layer(layer: Any, copies: int) -> Any:
    twin = copy.copy(layer)
    for name, value in vars(layer).items():
        if isinstance(value, dict):
            setattr(twin, name, _fork_states(value, copies) if name in IN_PLACE else dict(value))
        elif name in GROWING and isinstance(value, Tensor) and value.numel():
            setattr(twin, name, value.expand(copies, *value.shape[1:]))
    return twin


def _fork_states(states: dict[Any, Any], copies: int) -> dict[Any, Any]:
    return {
        key: state.repeat_interleave(copies, dim=0) if isinstance(state, Tensor) else state
        for key, state in states.items()
    }
