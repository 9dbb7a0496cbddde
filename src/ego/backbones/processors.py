"""Loading a processor without torchvision.

`AutoProcessor` wants torchvision for the video half of most processors. Here the same processor class, the one that the
checkpoint names, is put together from its tokenizer and its image processor; `frame_pairs.py`, `square_frames.py` or
`pooled_frames.py` stands in for a video processor, and where audio would be is an empty place. Images always go through
the Pillow backend, so that a memory does not depend on whether torchvision happens to be installed.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoTokenizer
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING, processor_class_from_name
from transformers.utils import cached_file

from ego.backbones.empty_places import EmptyPlace, video_settings
from ego.backbones.families import VideoName, family_of
from ego.backbones.frame_pairs import PATCH_SETTINGS, FramePairs
from ego.backbones.pooled_frames import PooledFrames
from ego.backbones.square_frames import SquareFrames
from ego.errors import BackboneError

NAMING_FILES = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
"""Where a checkpoint may name the class of its processor, in the order in which transformers asks."""


def load_processor(source: str | Path, config: Any, **hub: Any) -> Any:
    """Load tokenizer, image processor and chat template of a checkpoint.

    Args:
        source: Hub name or folder.
        config: Configuration of the model.
        hub: Passed on to `from_pretrained`, such as the revision.

    Raises:
        BackboneError: If transformers knows no processor for the model, or the checkpoint brings no chat template.
    """
    kind = _open_to_empty_places(_processor_class(source, config, hub))
    parts = {name: _part(name, source, hub) for name in kind.get_attributes()}
    if "video_processor" in parts:
        video = family_of(config.model_type).video
        parts["video_processor"] = _stand_in(parts.get("image_processor"), video, source, hub)
    settings, _ = kind.get_processor_dict(source, **hub)
    processor = kind.from_args_and_dict(list(parts.values()), settings)
    if processor.chat_template is None:
        processor.chat_template = processor.tokenizer.chat_template
    if processor.chat_template is None:
        raise BackboneError(f"{source} brings no chat template; choose an instruction-tuned checkpoint")
    return processor


def _processor_class(source: str | Path, config: Any, hub: dict[str, Any]) -> type:
    """Take the class that the checkpoint names; else the one transformers lists for its kind of model."""
    named = next((name for file in NAMING_FILES if (name := _named_class(file, source, hub))), None)
    kind: type | None = processor_class_from_name(named) if named else None
    if kind is None and type(config) in PROCESSOR_MAPPING:
        kind = PROCESSOR_MAPPING[type(config)]
    if kind is None:
        raise BackboneError(
            f"transformers knows no processor for {config.model_type!r} models, and the checkpoint names "
            f"{named or 'none'} (processor_class in {NAMING_FILES[0]})"
        )
    return kind


def _named_class(file: str, source: str | Path, hub: dict[str, Any]) -> str | None:
    found = cached_file(source, file, revision=hub.get("revision"), _raise_exceptions_for_missing_entries=False)
    if found is None:
        return None
    name = json.loads(Path(found).read_text(encoding="utf-8")).get("processor_class")
    return name if isinstance(name, str) else None


def _part(name: str, source: str | Path, hub: dict[str, Any]) -> Any:
    if name == "tokenizer":
        return AutoTokenizer.from_pretrained(source, **hub)
    if name == "image_processor":
        return AutoImageProcessor.from_pretrained(source, backend="pil", **hub)
    return EmptyPlace()


def _stand_in(image_processor: Any, video: VideoName | None, source: str | Path, hub: dict[str, Any]) -> EmptyPlace:
    """Make what stands in the place of a video processor; nothing where too little is said of videos."""
    if video == "squares":
        told = video_settings(source, hub)
        return SquareFrames(told, source, hub) if SquareFrames.says_enough(told) else EmptyPlace()
    if video == "pooled":
        return PooledFrames(image_processor, video_settings(source, hub), source, hub)
    if all(isinstance(getattr(image_processor, name, None), int) for name in PATCH_SETTINGS):
        return FramePairs(image_processor, video, source, hub)
    return EmptyPlace()


@cache
def _open_to_empty_places(kind: type) -> Any:
    """Derive a processor class that accepts an empty place; the check it skips would import torchvision."""

    class Processor(kind):  # type: ignore[misc]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            if isinstance(argument, EmptyPlace):
                return type(argument)
            return super().check_argument_for_proper_class(argument_name, argument)

    Processor.__name__ = Processor.__qualname__ = kind.__name__
    return Processor
