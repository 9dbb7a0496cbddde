"""Backbones: vision-language models behind one contract (`base.Backbone`), loaded by name.

Light to import: torch and transformers come with the first model, not before.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ego.backbones.families import Checkpoint, Family, register_family

if TYPE_CHECKING:
    import torch

    from ego.backbones.base import Backbone

__all__ = ["Checkpoint", "Family", "load_backbone", "register_family"]


def load_backbone(  # noqa: PLR0913  (what a caller may choose)
    id_or_path: str | Path,
    *,
    device: "str | torch.device | None" = None,
    dtype: "str | torch.dtype | None" = None,
    device_map: str | dict[str, Any] | None = None,
    revision: str | None = None,
    max_visual_tokens: int | None = None,
    positions: Literal["sequential", "grid"] = "sequential",
    self_check: bool = True,
    attention: str | None = None,
) -> "Backbone":
    """Load a vision-language model.

    Args:
        id_or_path: Name on the Hub, a local folder, or "mini", the small model that comes with the package (another
            folder of it: environment variable EGO_MINI).
        device: Such as "cuda" or "cpu"; None for CUDA where there is any, else the CPU.
        dtype: "bfloat16", "float16", "float32" or "auto"; None for bfloat16, on the CPU float32.
        device_map: Spread the model over devices ("auto", or a map). Excludes `device`.
        revision: Branch, tag or commit on the Hub.
        max_visual_tokens: Most visual tokens per image; None for one covering of the image, at most 1024.
        positions: Rotary positions of memories on models with three axes (Qwen): like words, or the places of the
            reference image.
        self_check: Compare prompts with the model's own processor, and a plain image with its own visual tokens, once
            after loading.
        attention: Attention implementation of the language model, such as "flash_attention_2"; None for the one that
            the checkpoint's config.json names, else "sdpa". Rows of attention are always read beside sdpa.

    Raises:
        BackboneError: If the model is not found, is not an image-text model, or cannot be used; the message says what
            to do.
        SelfCheckError: If it behaves differently from what this package relies on.
    """
    # torch and transformers take seconds to import; a program that only asks for help must not wait for them.
    from ego.backbones.loading import load  # noqa: PLC0415

    return load(
        id_or_path,
        device=device,
        dtype=dtype,
        device_map=device_map,
        revision=revision,
        max_visual_tokens=max_visual_tokens,
        positions=positions,
        self_check=self_check,
        attention=attention,
    )
