"""Every frame by itself in a few pooled tokens, as Gemma 4 reads a video.

Its video processor does with every frame what its image processor does with an image, in fewer tokens. The time before
each frame is written by the model's own processor.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers.models.gemma4.image_processing_pil_gemma4 import get_aspect_ratio_preserving_size
from transformers.video_utils import make_batched_metadata

from ego.backbones.empty_places import METADATA, PIXELS, VideoPlace

TOKENS_OF_A_FRAME = 70
"""Where a checkpoint does not say otherwise, as in transformers."""
POSITIONS, COUNTS, LENGTHS = "video_position_ids", "num_frames_per_video", "num_soft_tokens_per_video"


class PooledFrames(VideoPlace):
    """Stands where a video processor of pooled frames would."""

    model_input_names = (PIXELS, POSITIONS, COUNTS)
    merge_size = 1
    temporal_patch_size = 1
    options: Mapping[str, Any] = {"do_resize": False}

    def __init__(
        self, image_processor: Any, told: Mapping[str, Any], source: str | Path, hub: Mapping[str, Any]
    ) -> None:
        """Take an image processor, and what the checkpoint says of videos."""
        super().__init__(source, hub)
        self._image_processor, self._resample = image_processor, int(told.get("resample") or image_processor.resample)
        self._settings: dict[str, Any] = {
            "patch_size": int(told.get("patch_size") or image_processor.patch_size),
            "pooling_kernel_size": int(told.get("pooling_kernel_size") or image_processor.pooling_kernel_size),
            "max_soft_tokens": int(told.get("max_soft_tokens") or TOKENS_OF_A_FRAME),
            "do_normalize": bool(told.get("do_normalize", True)),
            "image_mean": told.get("image_mean") or [0.0, 0.0, 0.0],
            "image_std": told.get("image_std") or [1.0, 1.0, 1.0],
        }

    def __call__(self, videos: Sequence[Sequence[Image.Image]], **options: Any) -> dict[str, Any]:
        """Cut videos of frames that have their final size into patches; metadata are handed on."""
        frames = [frame for video in videos for frame in video]
        made = self._image_processor(images=frames, do_resize=False, return_tensors="pt", **self._settings)
        counts = torch.tensor([len(video) for video in videos])
        return {
            PIXELS: made["pixel_values"],
            POSITIONS: made["image_position_ids"],
            COUNTS: counts,
            LENGTHS: made["num_soft_tokens_per_image"][counts.cumsum(0) - 1],
            METADATA: make_batched_metadata(videos, options[METADATA]),
        }

    def fitted(self, frames: Sequence[Image.Image], most_tokens: int) -> list[Image.Image]:
        """Bring frames to whole tokens at their aspect; each takes as many as the family was trained with."""
        width, height = frames[0].size
        patch, pool = self._settings["patch_size"], self._settings["pooling_kernel_size"]
        patches = self._settings["max_soft_tokens"] * pool**2
        down, across = get_aspect_ratio_preserving_size(height, width, patch, patches, pool)
        return [frame.resize((across, down), Image.Resampling(self._resample)) for frame in frames]

    def grid(self, inputs: Mapping[str, Any]) -> None:
        """Say that no grid is counted."""
        return
