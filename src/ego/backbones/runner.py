"""Forward passes: a stretch of tokens over a cache, one token at a time, or a batch over a shared prefix."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ego.backbones.assembly import FeatureForm, Tokens, flat_rows, forward_arguments
from ego.backbones.capabilities import Capabilities
from ego.backbones.out_of_memory import explained_memory
from ego.backbones.prefix import PrefixState, fork
from ego.errors import BackboneError
from ego.visual_tokens import VisualTokens

BATCH_TOKENS = 16_384
"""Most tokens of one batch, prefix counted once per row: keys and values of this many tokens are held at a time."""


class Runner:
    """Calls one Hugging Face model; keeps no state of its own between calls."""

    def __init__(self, model: Any, can: Capabilities, form: FeatureForm) -> None:
        self._model, self._can, self._form = model, can, form
        self.like = anchor(model)

    @torch.no_grad()
    def run(self, tokens: Tokens, past: PrefixState | None, *, keep: int = 1) -> tuple[Tensor, PrefixState]:
        """Run a stretch of tokens; the past stays usable.

        Returns:
            Logits of the last `keep` tokens [keep, vocab], and the state behind the stretch.
        """
        cache = None if past is None else fork(past.cache)
        arguments = self._arguments([tokens], past)
        with explained_memory():
            output = self._model(**arguments, past_key_values=cache, use_cache=True, logits_to_keep=keep)
        return output.logits[0], PrefixState(_joined(past, tokens), output.past_key_values)

    @torch.no_grad()
    def step(self, token: int, cache: Any, *, position: int, place: int) -> Tensor:
        """Run one word token; the cache grows in place, so it must be a fork.

        Args:
            token: Token id.
            cache: What `run` left, not shared with anyone.
            position: Number of tokens before it.
            place: Its rotary position.
        """
        device = self.like.device
        arguments: dict[str, Any] = {
            "input_ids": torch.tensor([[token]], device=device),
            "attention_mask": torch.ones(1, position + 1, dtype=torch.long, device=device),
        }
        if self._can.multimodal_positions:
            axes = [position, place, place, place]
            arguments["position_ids"] = torch.tensor(axes, device=device)[:, None, None]
        elif self._can.position_argument:
            arguments["position_ids"] = torch.tensor([[position]], device=device)
        with explained_memory():
            output = self._model(**arguments, past_key_values=cache, use_cache=True, logits_to_keep=1)
        logits: Tensor = output.logits[0, -1]
        return logits

    @torch.no_grad()
    def last_logits(self, suffixes: Sequence[Tokens], past: PrefixState | None) -> Float[Tensor, "prompt vocab"]:
        """Score what follows each of several stretches over the same past, in as few passes as fit."""
        rows: list[Tensor | None] = [None] * len(suffixes)
        for batch in self._batches(suffixes, 0 if past is None else len(past.tokens)):
            cache = None if past is None else fork(past.cache, copies=len(batch))
            arguments = self._arguments([suffixes[index] for index in batch], past)
            with explained_memory():
                output = self._model(**arguments, past_key_values=cache, use_cache=True, logits_to_keep=1)
            for index, logits in zip(batch, output.logits[:, -1], strict=True):
                rows[index] = logits.float().cpu()
        return torch.stack([row for row in rows if row is not None])

    def answer_logits(self, tokens: Tokens, *, keep: int) -> Float[Tensor, "token vocab"]:
        """Score what follows each of the last `keep` tokens, with gradients in the visual tokens (float32)."""
        output = self._model(**self._arguments([tokens], None), use_cache=False, logits_to_keep=keep)
        logits: Tensor = output.logits[0].float()
        return logits

    def _arguments(self, batch: Sequence[Tokens], past: PrefixState | None) -> dict[str, Any]:
        before = None if past is None else past.tokens
        return forward_arguments(batch, can=self._can, form=self._form, like=self.like, past=before)

    def _batches(self, suffixes: Sequence[Tokens], behind: int) -> Iterator[list[int]]:
        """Group stretches: similar lengths together, equal ones only where padding would be seen, memory bounded."""
        batch: list[int] = []
        for index in sorted(range(len(suffixes)), key=lambda index: len(suffixes[index])):
            width = len(suffixes[index])
            uneven = bool(batch) and not self._can.full_attention and len(suffixes[batch[0]]) != width
            if batch and (uneven or (len(batch) + 1) * (behind + width) > BATCH_TOKENS):
                yield batch
                batch = []
            batch.append(index)
        yield batch


def anchor(model: Any) -> Tensor:
    """Pick a parameter whose device and number format inputs must have: the first that is not offloaded."""
    for parameter in model.parameters():
        if not parameter.is_meta and parameter.is_floating_point():
            found: Tensor = parameter
            return found
    raise BackboneError("every weight of the model is offloaded; give at least one layer a device in device_map")


@torch.no_grad()
def encode(model: Any, inputs: dict[str, Tensor], can: Capabilities, like: Tensor) -> tuple[Any, VisualTokens]:
    """Run vision tower and projector on one prepared image: the raw output, and its tokens without geometry."""
    arguments = {name: _to(value, like) for name, value in inputs.items() if name in can.feature_arguments}
    with explained_memory():
        output = model.get_image_features(**arguments)
    rows = flat_rows(output.pooler_output)
    levels = [flat_rows(level) for level in getattr(output, "deepstack_features", None) or ()]
    tokens = VisualTokens(
        rows=rows,
        deepstack=torch.stack(levels) if levels else rows.new_zeros(0, *rows.shape),
        boxes=None,
        view=torch.zeros(len(rows), dtype=torch.long),
        spatial=torch.ones(len(rows), dtype=torch.bool),
    )
    return output, tokens


def _to(value: Any, like: Tensor) -> Any:
    if not isinstance(value, Tensor):
        return value
    return value.to(like) if value.is_floating_point() else value.to(like.device)


def _joined(past: PrefixState | None, tokens: Tokens) -> Tokens:
    if past is None:
        return tokens
    before = past.tokens
    return Tokens(
        torch.cat([before.ids, tokens.ids]),
        torch.cat([before.places, tokens.places], dim=1),
        torch.cat([before.visual, tokens.visual]),
        (*before.features, *tokens.features),
    )
