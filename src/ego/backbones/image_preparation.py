"""Image -> model inputs, with as few visual tokens as asked for: one covering of the image per image, where possible.

Every way of limiting tokens takes the image processor, the model's config and the limit (None: the family's default),
sets the processor, and says how to call it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from PIL import Image
from torch import Tensor

from ego.backbones.families import Family
from ego.backbones.geometry import any_res_tiles
from ego.errors import BackboneError

PIXEL_LIMIT_DEFAULT = 1024
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
class ImagePreparation:
    """The image processor of a model, set to a number of visual tokens.

    Attributes:
        processor: The Hugging Face image processor.
        tokens: Visual tokens of an image: exact, or the upper limit where they depend on its size.
        one_of_several: Hand each image over as one of two: LLaVA-OneVision then makes one view of it instead of many.
    """

    processor: Any
    tokens: int | None
    one_of_several: bool = False

    def __call__(self, image: Image.Image) -> dict[str, Tensor]:
        """Turn one image into what `get_image_features` takes."""
        if not self.one_of_several:
            return dict(self.processor(images=[image], return_tensors="pt"))
        inputs = dict(self.processor(images=[[image, image]], return_tensors="pt"))
        return {name: value if name == "batch_num_images" else value[:1] for name, value in inputs.items()}

    def settings(self) -> dict[str, Any]:
        """List everything that decides about the pixels, in plain values; class names and backends left out."""
        raw = _plain(self.processor.to_dict())
        chosen = {key: value for key, value in raw.items() if key not in PERSONAL_KEYS and not key.startswith("_")}
        return {**chosen, "one_of_several": self.one_of_several}


Limit: TypeAlias = Callable[[Any, Any, int | None], ImagePreparation]


def prepare_images(family: Family, processor: Any, config: Any, limit: int | None) -> ImagePreparation:
    """Set the number of visual tokens per image.

    Args:
        family: The line of the table.
        processor: Image processor; it is changed.
        config: Configuration of the model.
        limit: Most visual tokens per image; None for the family's default.

    Raises:
        BackboneError: If the family cannot go that low, or has no known way to limit tokens.
    """
    if family.limit is None:
        if limit is not None:
            raise BackboneError("no way is known to limit the visual tokens of this model; leave max_visual_tokens out")
        return ImagePreparation(processor, tokens=None)
    choose = family.limit if callable(family.limit) else LIMITS[family.limit]
    preparation: ImagePreparation = choose(processor, config, limit)
    require_limit(preparation.tokens or 0, limit, family)
    return preparation


def require_limit(tokens: int, limit: int | None, family: Family) -> None:
    """Refuse a limit below what an image takes at least."""
    if limit is not None and tokens > limit:
        raise BackboneError(f"max_visual_tokens={limit} is too low: an image takes {tokens} with {family.name}")


def fixed(processor: Any, config: Any, limit: int | None) -> ImagePreparation:
    """Whole image only (Gemma 3, SmolVLM, Idefics3, FastVLM); the number of tokens is given by the architecture."""
    processor.do_image_splitting = False
    processor.do_pan_and_scan = False
    return ImagePreparation(processor, tokens=None)


def tiles(processor: Any, config: Any, limit: int | None) -> ImagePreparation:
    """One tile, or as many tiles and a thumbnail as fit (InternVL)."""
    per_tile = int(config.image_seq_length)
    count = max(1, (limit or 0) // per_tile - 1)
    processor.crop_to_patches = count > 1
    processor.min_patches, processor.max_patches = 1, count
    return ImagePreparation(processor, tokens=per_tile * (count + 1 if count > 1 else 1))


def pixels(processor: Any, config: Any, limit: int | None) -> ImagePreparation:
    """Shrink the image until its patches fit (Qwen)."""
    limit = limit or PIXEL_LIMIT_DEFAULT
    area = (processor.patch_size * processor.merge_size) ** 2
    smallest = min(int(processor.size["shortest_edge"]), limit * area)
    processor.size = type(processor.size)(shortest_edge=smallest, longest_edge=limit * area)
    return ImagePreparation(processor, tokens=limit)


def any_res(processor: Any, config: Any, limit: int | None) -> ImagePreparation:
    """One padded view, or the whole any-res pyramid if the limit has room for its largest form (LLaVA-OneVision)."""
    side = config.vision_config.image_size // config.vision_config.patch_size
    tiles_at_most = any_res_tiles(config)
    largest = int(side**2 * (1 + 1.21 * tiles_at_most) + 1.1 * side * tiles_at_most)
    if limit is not None and limit >= largest:
        return ImagePreparation(processor, tokens=largest)
    return ImagePreparation(processor, tokens=side**2 + 1, one_of_several=True)


def soft_tokens(processor: Any, config: Any, limit: int | None) -> ImagePreparation:
    """Choose the largest of the sizes the model was trained with (Gemma 4)."""
    if limit is not None:
        fitting = [step for step in SOFT_TOKEN_STEPS if step <= limit]
        processor.max_soft_tokens = fitting[-1] if fitting else SOFT_TOKEN_STEPS[0]
    return ImagePreparation(processor, tokens=int(processor.max_soft_tokens))


LIMITS: Mapping[str, Limit] = {
    "fixed": fixed,
    "tiles": tiles,
    "pixels": pixels,
    "any-res": any_res,
    "soft tokens": soft_tokens,
}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
