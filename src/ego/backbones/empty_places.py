"""What stands in a processor where its video processor, which needs torchvision, or an audio part would be.

Where a family reads videos, the stand-in does what its video processor does; the text of a video is then written by the
model's own processor, as always.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import AutoVideoProcessor
from transformers.utils import PushToHubMixin, cached_file, is_torchvision_available

PIXELS, GRID, METADATA = "pixel_values_videos", "video_grid_thw", "video_metadata"


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


class VideoPlace(EmptyPlace, ABC):
    """Stands where a video processor would, and makes the same of frames that have their final size.

    Attributes:
        options: What the family's own video processor must be told to leave such frames as they are.
    """

    options: Mapping[str, Any] = {}

    def __init__(self, source: str | Path, hub: Mapping[str, Any]) -> None:
        """Remember the checkpoint, a Hub name or folder, and how it is asked for."""
        self._source, self._hub = source, hub

    @abstractmethod
    def __call__(self, videos: Sequence[Sequence[Image.Image]], **options: Any) -> dict[str, Any]:
        """Turn frames of their final size into what the model takes."""

    @abstractmethod
    def fitted(self, frames: Sequence[Image.Image], most_tokens: int) -> list[Image.Image]:
        """Bring frames to their final size, which the family's video processor leaves as it is.

        Args:
            frames: Of one size.
            most_tokens: Visual tokens that the video may take, where the family can choose.
        """

    @abstractmethod
    def grid(self, inputs: Mapping[str, Any]) -> tuple[int, int, int] | None:
        """Say in how many pairs of frames, rows and columns the tokens lie; None where a family counts no such grid."""

    def own(self) -> Any:
        """Load the checkpoint's own video processor; None where torchvision is missing."""
        if not is_torchvision_available():
            return None
        return AutoVideoProcessor.from_pretrained(self._source, **self._hub)


def video_settings(source: str | Path, hub: Mapping[str, Any]) -> dict[str, Any]:
    """Read what a checkpoint says of videos, where transformers would look for it."""
    for file, key in (
        ("processor_config.json", "video_processor"),
        ("video_preprocessor_config.json", None),
        ("preprocessor_config.json", None),
    ):
        found = cached_file(source, file, revision=hub.get("revision"), _raise_exceptions_for_missing_entries=False)
        told = {} if found is None else json.loads(Path(found).read_text(encoding="utf-8"))
        told = told.get(key, {}) if key else told
        if told:
            return dict(told)
    return {}
