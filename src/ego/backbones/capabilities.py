"""What a model can do and how it wants to be called, found out by looking at it rather than by its name."""

import inspect
from dataclasses import dataclass
from typing import Any

from ego.errors import BackboneError

TYPE_ARGUMENTS = ("token_type_ids", "mm_token_type_ids")
FULL_ATTENTION = "full_attention"
CONCEPTS_PER_PROMPT = "ego_concepts_per_prompt"
CONCEPTS_PER_CAPTION = "ego_concepts_per_caption"
ANSWERS_OF_NAMED = "ego_answers_of_named"
MASKED = ("sdpa",)
"""Attention functions that take a mask of which token sees which; token types would be put over it (Gemma)."""


@dataclass(frozen=True)
class Capabilities:
    """How to call a model.

    Attributes:
        image_token: Id of the placeholder that visual tokens replace.
        multimodal_positions: Rotary positions have three axes: time, row and column (M-RoPE).
        type_argument: Name of the argument that marks visual tokens, where the model wants one (Gemma).
        position_argument: Whether forward takes `position_ids`.
        feature_arguments: What `get_image_features` takes of the image processor's output.
        video_arguments: The same of `get_video_features`; empty where there is none.
        full_attention: Every decoder layer sees the whole context, so batches may be padded on the left. Windows and
            recurrent layers would count the padding.
        branches: Several continuations may stand in one sequence, kept apart by a mask and by their own positions.
        attention_layers: Decoder layers with an attention map.
        layer_count: All decoder layers.
        dim: Width of the language model.
        context_length: Longest prompt, tokens.
        concepts_per_prompt: Most concepts that the model tells apart in one prompt, if its `config.json` says so.
        concepts_per_caption: Most concepts of one sentence of a caption, if its `config.json` says so.
        answers_of_named: It says so that a question is better asked with only the concepts in memory that it names.
    """

    image_token: int
    multimodal_positions: bool
    type_argument: str | None
    position_argument: bool
    feature_arguments: tuple[str, ...]
    video_arguments: tuple[str, ...]
    full_attention: bool
    branches: bool
    attention_layers: tuple[int, ...]
    layer_count: int
    dim: int
    context_length: int
    concepts_per_prompt: int | None
    concepts_per_caption: int | None
    answers_of_named: bool


def inspect_model(model: Any) -> Capabilities:
    """Look at a Hugging Face model.

    Raises:
        BackboneError: If it offers no way to put visual tokens into a prompt.
    """
    arguments = inspect.signature(model.forward).parameters
    _require_injection(model, arguments)
    text = model.config.get_text_config()
    multimodal = hasattr(model.base_model, "get_rope_index")
    types = None if multimodal else next((name for name in TYPE_ARGUMENTS if name in arguments), None)
    everything, positions = _sees_everything(text), "position_ids" in arguments
    return Capabilities(
        image_token=int(model.config.image_token_id),
        multimodal_positions=multimodal,
        type_argument=types,
        position_argument=positions,
        feature_arguments=_arguments(model.base_model.get_image_features),
        video_arguments=_arguments(getattr(model.base_model, "get_video_features", None)),
        full_attention=everything,
        branches=everything and positions and types is None and text._attn_implementation in MASKED,
        attention_layers=tuple(sorted(attention_modules(model).values())),
        layer_count=int(text.num_hidden_layers),
        dim=int(text.hidden_size),
        context_length=int(text.max_position_embeddings),
        concepts_per_prompt=_number(model.config, CONCEPTS_PER_PROMPT),
        concepts_per_caption=_number(model.config, CONCEPTS_PER_CAPTION),
        answers_of_named=_truth(model.config, ANSWERS_OF_NAMED),
    )


def _arguments(function: Any) -> tuple[str, ...]:
    return () if function is None else tuple(inspect.signature(function).parameters)


def _number(config: Any, key: str) -> int | None:
    told = getattr(config, key, None)
    if told is None or (isinstance(told, int) and told > 0):
        return told
    raise BackboneError(f"{key} of the model's config.json is {told!r}; it must be a number from 1 on")


def _truth(config: Any, key: str) -> bool:
    told = getattr(config, key, False)
    if isinstance(told, bool):
        return told
    raise BackboneError(f"{key} of the model's config.json is {told!r}; it must be true or false")


def attention_modules(model: Any) -> dict[int, int]:
    """Map `id(module)` of every self-attention of the language model to its layer.

    By identity, not by attributes alone: vision towers may have a `layer_idx` too (Gemma 4).
    """
    modules = model.get_decoder().modules()
    return {
        id(module): int(module.layer_idx)
        for module in modules
        if hasattr(module, "layer_idx") and hasattr(module, "num_key_value_groups")
    }


def _require_injection(model: Any, arguments: Any) -> None:
    missing = [
        name
        for name, present in (
            ("forward(mm_encoder_outputs=...)", "mm_encoder_outputs" in arguments),
            ("forward(logits_to_keep=...)", "logits_to_keep" in arguments),
            ("get_image_features", hasattr(model.base_model, "get_image_features")),
            ("config.image_token_id", getattr(model.config, "image_token_id", None) is not None),
        )
        if not present
    ]
    if missing:
        raise BackboneError(
            f"{type(model).__name__} has no {', no '.join(missing)}, so visual tokens cannot be put into its prompt; "
            "choose a model of `ego models`, or update transformers (at least 5.18)"
        )


def _sees_everything(text_config: Any) -> bool:
    kinds = getattr(text_config, "layer_types", None)
    if kinds:
        return all(kind == FULL_ATTENTION for kind in kinds)
    return getattr(text_config, "sliding_window", None) is None
