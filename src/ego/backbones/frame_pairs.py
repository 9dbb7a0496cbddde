"""Videos without torchvision: pairs of frames cut into patches by the image processor.

The video processors of transformers need torchvision, but all that those of Qwen and GLM do is to resize the frames and
to cut them into patches that hold two frames each. Their image processors cut a still image in the same way, as two
frames alike; so the patches of a pair are put together from those of its frames. What the text of a video looks like is
then written by the model's own processor, as always.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoVideoProcessor
from transformers.utils import PushToHubMixin, cached_file, is_torchvision_available
from transformers.video_utils import make_batched_metadata

PATCH_SETTINGS = ("patch_size", "merge_size", "temporal_patch_size")
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


class FramePairs(EmptyPlace):
    """Stands where a video processor would, and makes the same of frames that have their final size.

    Attributes:
        patch_size: Pixels of a patch along a side.
        merge_size: Patches of a visual token along a side.
        temporal_patch_size: Frames of a patch.
        resample: How pictures are made smaller, as Pillow counts.
        smallest: Fewest pixels of a video (or of a frame, as the family counts), as the checkpoint says.
        largest: Most of them; None where it does not say.
    """

    model_input_names = (PIXELS, GRID)

    def __init__(self, image_processor: Any, source: str | Path, hub: Mapping[str, Any]) -> None:
        """Take the settings of an image processor, and the limits that a checkpoint sets for videos."""
        self._image_processor, self._source, self._hub = image_processor, source, hub
        self.patch_size, self.merge_size, self.temporal_patch_size = (
            int(getattr(image_processor, name)) for name in PATCH_SETTINGS
        )
        self.resample = int(image_processor.resample)
        told = _settings(source, hub)
        size = told.get("size") or {}
        self.smallest = int(told.get("min_pixels") or size.get("shortest_edge") or 0)
        largest = told.get("max_pixels") or size.get("longest_edge")
        self.largest = int(largest) if largest else None

    def __call__(self, videos: Sequence[Sequence[Image.Image]], **options: Any) -> dict[str, Any]:
        """Cut videos into patches.

        Args:
            videos: Frames, as many in each as fill whole patches, sides whole numbers of tokens.
            options: Of these, the metadata are handed on.
        """
        cut = [self._cut(frames) for frames in videos]
        return {
            PIXELS: torch.cat([patches for patches, _ in cut]),
            GRID: torch.tensor([grid for _, grid in cut]),
            METADATA: make_batched_metadata(videos, options[METADATA]),
        }

    def own(self) -> Any:
        """Load the checkpoint's own video processor; None where torchvision is missing."""
        if not is_torchvision_available():
            return None
        return AutoVideoProcessor.from_pretrained(self._source, **self._hub)

    def _cut(self, frames: Sequence[Image.Image]) -> tuple[Tensor, list[int]]:
        """Make patches [patch, channel x frame x row x column] in the order of the family, and the grid they lie in."""
        made = self._image_processor(images=list(frames), do_resize=False, return_tensors="pt")
        _, rows, cols = made["image_grid_thw"][0].tolist()
        together, pairs = self.temporal_patch_size, len(frames) // self.temporal_patch_size
        patches = made["pixel_values"].reshape(pairs, together, rows * cols, -1, together, self.patch_size**2)
        alike = patches[:, :, :, :, 0]  # every patch holds its frame so many times
        return alike.permute(0, 2, 3, 1, 4).reshape(pairs * rows * cols, -1), [pairs, rows, cols]


def stand_in(image_processor: Any, source: str | Path, hub: Mapping[str, Any]) -> EmptyPlace:
    """Make what stands in the place of a video processor: patches of pairs where images are cut so, else nothing."""
    if all(isinstance(getattr(image_processor, name, None), int) for name in PATCH_SETTINGS):
        return FramePairs(image_processor, source, hub)
    return EmptyPlace()


def _settings(source: str | Path, hub: Mapping[str, Any]) -> dict[str, Any]:
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
