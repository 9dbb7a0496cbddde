"""Pairs of frames cut into patches by the image processor, as Qwen and GLM read a video.

All that their video processors do is to resize the frames and to cut them into patches that hold two frames each. Their
image processors cut a still image in the same way, as two frames alike; so the patches of a pair are put together from
those of its frames.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers.video_utils import make_batched_metadata

from ego.backbones.empty_places import GRID, METADATA, PIXELS, VideoPlace, video_settings
from ego.backbones.families import VideoName
from ego.errors import BackboneError, VideoError

PATCH_SETTINGS = ("patch_size", "merge_size", "temporal_patch_size")
LONGEST_ASPECT = 200
"""Of families whose tokens follow the aspect of the picture."""


class FramePairs(VideoPlace):
    """Stands where a video processor of pairs would.

    Attributes:
        patch_size: Pixels of a patch along a side.
        merge_size: Patches of a visual token along a side.
        temporal_patch_size: Frames of a patch.
        resample: How pictures are made smaller, as Pillow counts.
        smallest: Fewest pixels of a video (or of a frame, as the family counts), as the checkpoint says.
        largest: Most of them; None where it does not say.
    """

    model_input_names = (PIXELS, GRID)

    def __init__(
        self, image_processor: Any, video: VideoName | None, source: str | Path, hub: Mapping[str, Any]
    ) -> None:
        """Take the settings of an image processor, and the limits that a checkpoint sets for videos."""
        super().__init__(source, hub)
        self._image_processor, self._counted = image_processor, video
        self.patch_size, self.merge_size, self.temporal_patch_size = (
            int(getattr(image_processor, name)) for name in PATCH_SETTINGS
        )
        self.resample = int(image_processor.resample)
        told = video_settings(source, hub)
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

    def fitted(self, frames: Sequence[Image.Image], most_tokens: int) -> list[Image.Image]:
        """Bring frames to whole tokens: at their aspect, as near to their pixels as the limits allow.

        Raises:
            BackboneError: If there are more pairs than visual tokens allowed.
            VideoError: If the frames are too long and narrow.
        """
        size, resample = self._size(frames[0].size, len(frames), most_tokens), Image.Resampling(self.resample)
        return [frame if frame.size == size else frame.resize(size, resample) for frame in frames]

    def grid(self, inputs: Mapping[str, Any]) -> tuple[int, int, int]:
        """Say in how many pairs of frames, rows and columns the tokens lie."""
        pairs, *sides = inputs[GRID][0].tolist()
        rows, cols = (side // self.merge_size for side in sides)
        return pairs, rows, cols

    def _size(self, size: tuple[int, int], count: int, limit: int) -> tuple[int, int]:
        width, height = size
        if max(size) > LONGEST_ASPECT * min(size):
            raise VideoError(f"frames of {width}x{height} pixels are too long and narrow; crop the video")
        side = self.patch_size * self.merge_size
        most = limit // (count // self.temporal_patch_size)
        if most < 1:
            raise BackboneError(
                f"{limit} visual tokens are too few for a video of {count} frames; raise max_visual_tokens, "
                "or look at fewer frames"
            )
        share = 1 if self._counted == "pixels of a frame" else count
        if self.largest is not None:
            most = max(1, min(most, int(self.largest / share / side**2)))
        least = min(most, math.ceil(self.smallest / share / side**2))
        cols, rows = _grid(width / side, height / side, least, most)
        return cols * side, rows * side

    def _cut(self, frames: Sequence[Image.Image]) -> tuple[Tensor, list[int]]:
        """Make patches [patch, channel x frame x row x column] in the order of the family, and the grid they lie in."""
        made = self._image_processor(images=list(frames), do_resize=False, return_tensors="pt")
        _, rows, cols = made["image_grid_thw"][0].tolist()
        together, pairs = self.temporal_patch_size, len(frames) // self.temporal_patch_size
        patches = made["pixel_values"].reshape(pairs, together, rows * cols, -1, together, self.patch_size**2)
        alike = patches[:, :, :, :, 0]  # every patch holds its frame so many times
        return alike.permute(0, 2, 3, 1, 4).reshape(pairs * rows * cols, -1), [pairs, rows, cols]


def _grid(across: float, down: float, least: int, most: int) -> tuple[int, int]:
    """Choose columns and rows near the given ones, with so many cells at least and at most."""
    cols, rows = max(1, round(across)), max(1, round(down))
    if cols * rows < least:
        scale = math.sqrt(least / (across * down))
        cols, rows = math.ceil(across * scale), math.ceil(down * scale)
    if cols * rows > most:
        scale = math.sqrt(most / (across * down))
        cols, rows = max(1, math.floor(across * scale)), max(1, math.floor(down * scale))
    if cols * rows > most:  # one of them is 1 in spite of the aspect
        cols, rows = min(cols, most), min(rows, most)
    return cols, rows
