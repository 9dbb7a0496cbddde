"""Loading a processor without torchvision.

`AutoProcessor` wants torchvision for the video half of most processors. Here the same processor class is put together
from its tokenizer and its image processor, with an empty place where video and audio would be. Images always go through
the Pillow backend, so that a memory does not depend on whether torchvision happens to be installed.
"""

from functools import cache
from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoTokenizer
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils import PushToHubMixin

from ego.errors import BackboneError


class EmptyPlace(PushToHubMixin):  # type: ignore[misc]  # the mixin makes a processor's to_dict() call ours
    """Stands where a video processor or an audio feature extractor would; text and images never touch it."""

    model_input_names: tuple[str, ...] = ()
    num_frames = None
    fps = None
    merge_size = 2
    temporal_patch_size = 2

    def to_dict(self) -> dict[str, Any]:
        """Say that there is nothing."""
        return {}


def load_processor(source: str | Path, config: Any, **hub: Any) -> Any:
    """Load tokenizer, image processor and chat template of a checkpoint.

    Args:
        source: Hub name or folder.
        config: Configuration of the model.
        hub: Passed on to `from_pretrained`, such as the revision.

    Raises:
        BackboneError: If transformers knows no processor for the model, or the checkpoint brings no chat template.
    """
    if type(config) not in PROCESSOR_MAPPING:
        raise BackboneError(f"transformers knows no processor for {config.model_type!r} models")
    kind = _open_to_empty_places(PROCESSOR_MAPPING[type(config)])
    parts = [_part(name, source, hub) for name in kind.get_attributes()]
    settings, _ = kind.get_processor_dict(source, **hub)
    processor = kind.from_args_and_dict(parts, settings)
    if processor.chat_template is None:
        processor.chat_template = processor.tokenizer.chat_template
    if processor.chat_template is None:
        raise BackboneError(f"{source} brings no chat template; choose an instruction-tuned checkpoint")
    return processor


def _part(name: str, source: str | Path, hub: dict[str, Any]) -> Any:
    if name == "tokenizer":
        return AutoTokenizer.from_pretrained(source, **hub)
    if name == "image_processor":
        return AutoImageProcessor.from_pretrained(source, backend="pil", **hub)
    return EmptyPlace()


@cache
def _open_to_empty_places(kind: type) -> Any:
    """Derive a processor class that accepts an empty place; the check it skips would import torchvision."""

    class Processor(kind):  # type: ignore[misc]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            if isinstance(argument, EmptyPlace):
                return EmptyPlace
            return super().check_argument_for_proper_class(argument_name, argument)

    Processor.__name__ = Processor.__qualname__ = kind.__name__
    return Processor
