"""The number of visual tokens of an image: one covering of the image per image, where possible.

Every way of limiting tokens takes the image processor, the model's config and the limit (None: the family's default),
sets the processor, and says how to call it (`picture_writing.py` does).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

from ego.backbones.families import Family

TOKENS_BY_DEFAULT = 1024
"""Visual tokens per image for models whose tokens grow with the image; a 12-megapixel photo would take 12,000."""
SOFT_TOKEN_STEPS = (70, 140, 280, 560, 1120)
PERSONAL_KEYS = (
    "image_processor_type",
    "processor_class",
    "feature_extractor_type",
    "video_processor_type",
    "auto_map",
)


@dataclass(frozen=True)
class ImageSettings:
    """How the image side of a model was set.

    Attributes:
        processor: The image processor, its attributes set.
        limit: Most visual tokens of an image; where no attribute keeps to it, the image is made smaller.
        strict: Whether the limit is the user's own, so that more tokens are an error.
        one_of_several: Hand each image over as one of two: LLaVA-OneVision then makes one view of it instead of many.
        overrides: Settings that the whole processor must be told with every call, since its own defaults are others.
        shrinks: Whether only a smaller image keeps to the limit.
    """

    processor: Any
    limit: int | None = None
    strict: bool = False
    one_of_several: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    shrinks: bool = False

    def described(self) -> dict[str, Any]:
        """List everything that decides about the pixels, in plain values; class names and backends left out."""
        raw = _plain(self.processor.to_dict())
        chosen = {key: value for key, value in raw.items() if key not in PERSONAL_KEYS and not key.startswith("_")}
        limit = {"limit": self.limit} if self.shrinks else {}
        return {**chosen, **self.overrides, **limit, "one_of_several": self.one_of_several}


Limit: TypeAlias = Callable[[Any, Any, int | None], ImageSettings]


def image_settings(family: Family, processor: Any, config: Any, limit: int | None) -> ImageSettings:
    """Set the number of visual tokens per image.

    Args:
        family: The line of the table.
        processor: Image processor; it is changed.
        config: Configuration of the model.
        limit: Most visual tokens per image; None for the family's default.
    """
    way = family.limit or "smaller image"
    choose = way if callable(way) else LIMITS[way]
    chosen: ImageSettings = choose(processor, config, limit)
    return replace(chosen, limit=limit or chosen.limit, strict=limit is not None)


def fixed(processor: Any, config: Any, limit: int | None) -> ImageSettings:
    """Whole image where there is a choice (Gemma 3, SmolVLM); the number of tokens is given by the architecture."""
    processor.do_image_splitting = False
    processor.do_pan_and_scan = False
    return ImageSettings(processor)


def smaller_image(processor: Any, config: Any, limit: int | None) -> ImageSettings:
    """Leave the processor as it is; images that take too many tokens are made smaller (any family)."""
    return ImageSettings(processor, limit=limit or TOKENS_BY_DEFAULT, shrinks=True)


def tiles(processor: Any, config: Any, limit: int | None) -> ImageSettings:
    """One tile, or as many tiles and a thumbnail as fit (InternVL, Aya Vision)."""
    count = max(1, (limit or 0) // _tokens_of_a_tile(config) - 1)
    chosen = {"crop_to_patches": count > 1, "min_patches": 1, "max_patches": count}
    for name, value in chosen.items():
        setattr(processor, name, value)
    return ImageSettings(processor, overrides=chosen)


def pixels(processor: Any, config: Any, limit: int | None) -> ImageSettings:
    """Shrink the image until its patches fit (Qwen)."""
    limit = limit or TOKENS_BY_DEFAULT
    area = (processor.patch_size * processor.merge_size) ** 2
    smallest = min(int(processor.size["shortest_edge"]), limit * area)
    processor.size = type(processor.size)(shortest_edge=smallest, longest_edge=limit * area)
    return ImageSettings(processor, limit=limit)


def pixels_of_two_frames(processor: Any, config: Any, limit: int | None) -> ImageSettings:
    """Shrink the image until its patches fit; the processor counts an image as two frames (GLM-V)."""
    chosen = pixels(processor, config, limit)
    size, frames = processor.size, int(processor.temporal_patch_size)
    smallest, largest = int(size["shortest_edge"]), int(size["longest_edge"]) * frames
    processor.size = type(size)(shortest_edge=min(smallest, largest), longest_edge=largest)
    return chosen


def image_tokens(processor: Any, config: Any, limit: int | None) -> ImageSettings:
    """The whole image, without tiles, at its own aspect (LFM2-VL)."""
    most = min(limit or TOKENS_BY_DEFAULT, int(processor.max_image_tokens))
    chosen = {
        "do_image_splitting": False,
        "max_image_tokens": most,
        "min_image_tokens": min(most, int(processor.min_image_tokens)),
    }
    for name, value in chosen.items():
        setattr(processor, name, value)
    return ImageSettings(processor, limit=most, overrides=chosen)


def one_view(processor: Any, config: Any, limit: int | None) -> ImageSettings:
    """Show every image as one of several: one padded view each, as in every prompt with memories (LLaVA-OneVision)."""
    return ImageSettings(processor, one_of_several=True)


def soft_tokens(processor: Any, config: Any, limit: int | None) -> ImageSettings:
    """Choose the largest of the sizes the model was trained with (Gemma 4)."""
    if limit is not None:
        fitting = [step for step in SOFT_TOKEN_STEPS if step <= limit]
        processor.max_soft_tokens = fitting[-1] if fitting else SOFT_TOKEN_STEPS[0]
    return ImageSettings(processor)


LIMITS: Mapping[str, Limit] = {
    "fixed": fixed,
    "smaller image": smaller_image,
    "tiles": tiles,
    "pixels": pixels,
    "pixels of two frames": pixels_of_two_frames,
    "image tokens": image_tokens,
    "one view": one_view,
    "soft tokens": soft_tokens,
}


def _tokens_of_a_tile(config: Any) -> int:
    told = getattr(config, "image_seq_length", None)
    vision = config.vision_config
    return int(told or (vision.image_size // vision.patch_size // config.downsample_factor) ** 2)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
