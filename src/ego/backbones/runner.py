"""Forward passes: a stretch of tokens over a cache, or one token at a time."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ego.backbones.assembly import FeatureForm, Tokens, flat_rows, forward_arguments, joined
from ego.backbones.capabilities import Capabilities
from ego.backbones.out_of_memory import explained_memory
from ego.backbones.prefix import PrefixState, fork
from ego.errors import BackboneError
from ego.visual_tokens import VisualTokens


class Runner:
    """Calls one Hugging Face model; keeps no state of its own between calls."""

    def __init__(self, model: Any, can: Capabilities, form: FeatureForm) -> None:
        """Wrap a model.

        Args:
            model: The model.
            can: How it wants to be called.
            form: The form in which it takes features.
        """
        self._model, self.can, self.form = model, can, form
        self.like = anchor(model)

    def forward(self, arguments: dict[str, Any], cache: Any, *, keep: int | Tensor) -> Any:
        """Call the model on prepared arguments; the cache grows in place, so it must be a fork.

        Args:
            arguments: See `assembly.py`.
            cache: What came before; None at the beginning.
            keep: How many of the last tokens get logits, or which ones.
        """
        with explained_memory():
            return self._model(**arguments, past_key_values=cache, use_cache=True, logits_to_keep=keep)

    @torch.no_grad()
    def run(self, tokens: Tokens, past: PrefixState | None, *, keep: int = 1) -> tuple[Tensor, PrefixState]:
        """Run a stretch of tokens; the past stays usable.

        Returns:
            Logits of the last `keep` tokens [keep, vocab], and the state behind the stretch.
        """
        cache = None if past is None else fork(past.cache)
        output = self.forward(self.arguments([tokens], past), cache, keep=keep)
        behind = tokens if past is None else joined([past.tokens, tokens])
        return output.logits[0], PrefixState(behind, output.past_key_values)

    @torch.no_grad()
    def step(self, token: Tensor, cache: Any, *, position: int, place: int) -> Tensor:
        """Run one word token, without making the host wait; the cache grows in place, so it must be a fork.

        Args:
            token: Token id, on the device.
            cache: What `run` left, not shared with anyone.
            position: Number of tokens before it.
            place: Its rotary position.
        """
        arguments: dict[str, Any] = {"input_ids": token.reshape(1, 1)}
        if not self.can.branches:  # a mask of ones would be read back to see that it hides nothing
            arguments["attention_mask"] = self._filled(1, (1, position + 1))
        if self.can.multimodal_positions:
            axes = [self._filled(position, (1, 1, 1)), self._filled(place, (3, 1, 1))]
            arguments["position_ids"] = torch.cat(axes)
        elif self.can.position_argument:
            arguments["position_ids"] = self._filled(position, (1, 1))
        logits: Tensor = self.forward(arguments, cache, keep=1).logits[0, -1]
        return logits

    @torch.no_grad()
    def steps(
        self, words: Int[Tensor, " row"], cache: Any, *, seen: Tensor, positions: Sequence[int], places: Sequence[int]
    ) -> Float[Tensor, "row vocab"]:
        """Run one word token of each row over a cache that is padded on the left and grows in place.

        Args:
            words: Token ids, on the device.
            cache: What came before, a row for each word.
            seen: 1 for each token of cache and step, 0 for padding.
            positions: Number of tokens before each word, padding not counted.
            places: Their rotary positions.
        """
        arguments: dict[str, Any] = {"input_ids": words[:, None], "attention_mask": seen}
        order = torch.tensor(positions, device=words.device)[:, None]
        if self.can.multimodal_positions:
            axes = torch.tensor(places, device=words.device)[:, None].expand(3, -1, -1)
            arguments["position_ids"] = torch.cat([order[None], axes])
        elif self.can.position_argument:
            arguments["position_ids"] = order
        logits: Tensor = self.forward(arguments, cache, keep=1).logits[:, -1]
        return logits

    def answer_logits(self, tokens: Tokens, *, keep: int) -> Float[Tensor, "token vocab"]:
        """Score what follows each of the last `keep` tokens, with gradients in the visual tokens (float32)."""
        output = self._model(**self.arguments([tokens], None), use_cache=False, logits_to_keep=keep)
        logits: Tensor = output.logits[0].float()
        return logits

    def _filled(self, value: int, shape: tuple[int, ...]) -> Tensor:
        return torch.full(shape, value, dtype=torch.long, device=self.like.device)

    def arguments(self, batch: Sequence[Tokens], past: PrefixState | None) -> dict[str, Any]:
        """Build the arguments of a pass over stretches that follow the same past."""
        before = None if past is None else past.tokens
        return forward_arguments(batch, can=self.can, form=self.form, like=self.like, past=before)


def anchor(model: Any) -> Tensor:
    """Pick a parameter whose device and number format inputs must have: the first that is not offloaded."""
    for parameter in model.parameters():
        if not parameter.is_meta and parameter.is_floating_point():
            found: Tensor = parameter
            return found
    raise BackboneError("every weight of the model is offloaded; give at least one layer a device in device_map")


def features_of(model: Any, name: str = "get_image_features") -> Any:
    """Find the way from pixels to visual tokens; some models have it on their inner model only (DeepSeek-VL)."""
    return getattr(model, name, None) or getattr(model.base_model, name)


@torch.no_grad()
def encode(
    model: Any, inputs: dict[str, Tensor], can: Capabilities, like: Tensor, *, video: bool = False
) -> tuple[Any, VisualTokens]:
    """Run vision tower and projector on one prepared image or video: the raw output, its tokens without geometry."""
    wanted = can.video_arguments if video else can.feature_arguments
    arguments = {name: _to(value, like) for name, value in inputs.items() if name in wanted}
    with explained_memory():
        output = features_of(model, "get_video_features" if video else "get_image_features")(**arguments)
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
