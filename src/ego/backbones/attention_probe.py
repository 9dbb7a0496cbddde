"""Rows of attention without eager attention: which visual tokens each word looks at (paper Eq. 3), while it is said.

One attention function is registered with transformers. It leaves the output to sdpa and, only where a Recorder is
active in the running context, also computes softmax(q K^T scale + mask) over all keys for the few rows asked for. Exact
(2e-7 from eager attention on ten architectures), and free of the memory that `output_attentions` takes.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from ego.backbones.capabilities import attention_modules

PROBED = "ego_sdpa"
"""Name of the attention function; it must contain "sdpa" and neither "flash" nor "flex"."""


class Recorder:
    """Rows of attention from all tokens at or after a position to the given columns.

    Attributes:
        rows: Per layer, one tensor [head, token, visual] for each forward pass.
    """

    def __init__(
        self,
        modules: dict[int, int],
        *,
        layers: tuple[int, ...],
        columns: Int[Tensor, " visual"],
        from_position: int,
        seen: int,
    ) -> None:
        """Prepare for a run.

        Args:
            modules: `id(module)` of the attention modules -> layer.
            layers: Layers to record.
            columns: Absolute positions of the visual tokens.
            from_position: First token whose row is wanted.
            seen: Tokens in the cache before the run.
        """
        self.rows: dict[int, list[Float[Tensor, "head token visual"]]] = {layer: [] for layer in layers}
        self._modules, self._columns, self._from = modules, columns, from_position
        self._seen = dict.fromkeys(modules.values(), seen)

    def __call__(self, module: Any, query: Tensor, key: Tensor, mask: Tensor | None, scaling: float | None) -> None:
        """Look at one attention layer of one forward pass."""
        layer = self._modules.get(id(module))
        if layer is None:  # a vision tower, or another model in the same context
            return
        start, length = self._seen[layer], query.shape[2]
        self._seen[layer] = start + length
        first = max(0, self._from - start)
        if layer in self.rows and first < length:
            rows = torch.arange(first, length, device=query.device)
            weights = attention_rows(query, key, mask, scaling, rows)
            self.rows[layer].append(self._visual(weights, hidden=start + length - key.shape[2]))

    def attention(self) -> Float[Tensor, "layer head token visual"]:
        """Stack what was recorded, layers in the order asked for."""
        return torch.stack([torch.cat(rows, dim=1).cpu() for rows in self.rows.values()])

    def _visual(self, weights: Float[Tensor, "head token key"], *, hidden: int) -> Float[Tensor, "head token visual"]:
        """Pick the columns; a sliding window hands over the last keys only, what lies before it gets nothing.

        In a batch, padding may stand before the keys; then fewer than none are hidden.
        """
        columns = self._columns.to(weights.device) - hidden
        picked = weights[..., columns.clamp(min=0)]
        return torch.where(columns >= 0, picked, picked.new_zeros(()))


class RecorderOfRows:
    """Records rows of a batch, each by itself; padding may stand before them.

    Args:
        rows: A recorder for each row; None where nothing is recorded.
    """

    def __init__(self, rows: Sequence[Recorder | None]) -> None:
        self._rows = tuple(rows)

    def __call__(self, module: Any, query: Tensor, key: Tensor, mask: Tensor | None, scaling: float | None) -> None:
        """Look at one attention layer of one forward pass."""
        for number, recorder in enumerate(self._rows):
            if recorder is not None:
                row = slice(number, number + 1)
                own = mask if mask is None or len(mask) == 1 else mask[row]
                recorder(module, query[row], key[row], own, scaling)


def attention_rows(
    query: Float[Tensor, "1 head token size"],
    key: Float[Tensor, "1 kv_head key size"],
    mask: Tensor | None,
    scaling: float | None,
    rows: Int[Tensor, " row"],
) -> Float[Tensor, "head row key"]:
    """Compute attention weights of some queries over all keys, float32.

    Args:
        query: After rotary embedding, as the attention function receives it.
        key: All cached keys.
        mask: None (causal if there is more than one query), boolean, or additive.
        scaling: As the model passes it; None for 1 / sqrt(size).
        rows: Queries to compute.
    """
    heads, size = query.shape[1], query.shape[3]
    groups = key.shape[1]
    wanted = query[0, :, rows].float().reshape(groups, heads // groups, len(rows), size)
    scores = wanted @ key[0].float().unsqueeze(1).transpose(-1, -2) * (size**-0.5 if scaling is None else scaling)
    scores = scores.reshape(heads, len(rows), key.shape[2])
    return _masked(scores, mask, rows, queries=query.shape[2]).softmax(dim=-1)


class ProbeSwitch:
    """Puts the probed attention function on a language model and takes it off; several threads may hold it at once."""

    def __init__(self, model: Any) -> None:
        _register()
        self.modules = attention_modules(model)
        self._config = model.get_decoder().config
        self._lock, self._holders, self._found = threading.Lock(), 0, ""

    @contextmanager
    def recording(self, recorder: Recorder | RecorderOfRows | None) -> Iterator[None]:
        """Record the forward passes of this context; nothing happens without a recorder."""
        if recorder is None:
            yield
            return
        self._hold()
        token = _active.set(recorder)
        try:
            yield
        finally:
            _active.reset(token)
            self._release()

    def _hold(self) -> None:
        with self._lock:
            self._holders += 1
            if self._holders == 1:
                self._found = self._config._attn_implementation
                self._config._attn_implementation = PROBED

    def _release(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._config._attn_implementation = self._found


_active: ContextVar[Recorder | RecorderOfRows | None] = ContextVar("ego_recorder", default=None)


def _probed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    if not torch.compiler.is_compiling():  # reading a ContextVar would break a compiled graph
        recorder = _active.get()
        if recorder is not None:
            recorder(module, query, key, attention_mask, scaling)
    output: tuple[Tensor, None] = sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **options
    )
    return output


def _masked(scores: Tensor, mask: Tensor | None, rows: Tensor, *, queries: int) -> Tensor:
    keys = scores.shape[-1]
    if mask is None:
        if queries == 1:
            return scores
        mask = torch.arange(keys, device=scores.device) <= rows[:, None]  # sdpa's own causal mask, upper left
    else:
        mask = mask[0, :, rows, :keys]
    return scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask.float()


def _register() -> None:
    """Make the attention function known to transformers; names no model uses by itself, harmless to repeat.

    Without a mask function of the same name transformers would pass no mask at all, silently.
    """
    AttentionInterface.register(PROBED, _probed_attention)
    AttentionMaskInterface.register(PROBED, sdpa_mask)
