"""Every frame by itself in one square, as LLaVA-OneVision, InternVL and SmolVLM read a video.

All that their video processors do is to stretch every frame to a square and to normalize it. What is said around the
frames (numbers, times, a mark at the end) is written by the model's own processor.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers.video_utils import make_batched_metadata

from ego.backbones.empty_places import METADATA, PIXELS, VideoPlace
from ego.errors import BackboneError

STEPS = ("do_resize", "do_rescale", "do_normalize")
"""What must be done with a frame; transformers does it unless told otherwise."""
OF_IMAGES = ("pixel_values", "pixel_attention_mask")
"""Names under which SmolVLM hands over frames, those of images."""


class SquareFrames(VideoPlace):
    """Stands where a video processor of single frames would.

    Attributes:
        size: Width and height of a frame.
        resample: How pictures are resized, as Pillow counts.
    """

    merge_size = 1
    temporal_patch_size = 1
    options: Mapping[str, Any] = {"do_resize": False}

    def __init__(self, told: Mapping[str, Any], source: str | Path, hub: Mapping[str, Any]) -> None:
        """Take what the checkpoint says of videos; see `says_enough`."""
        super().__init__(source, hub)
        self.resample = int(told["resample"])
        self._mean, self._std = (torch.tensor(told[name]).reshape(3, 1, 1) for name in ("image_mean", "image_std"))
        self._scale = float(told.get("rescale_factor") or 1 / 255)
        self._longest = _longest_edge(told)
        self._as_images = self._longest is not None
        side = told["max_image_size"]["longest_edge"] if self._as_images else None
        self.size = (side, side) if side else (int(told["size"]["width"]), int(told["size"]["height"]))
        self.model_input_names = OF_IMAGES if self._as_images else (PIXELS,)

    @staticmethod
    def says_enough(told: Mapping[str, Any]) -> bool:
        """See whether a checkpoint says all that is needed, and nothing that is not done here."""
        named = all(told.get(name) is not None for name in ("resample", "image_mean", "image_std"))
        done = all(told.get(name, True) for name in STEPS) and not told.get("do_center_crop")
        size = told.get("size") or {}
        sized = _longest_edge(told) is not None if "max_image_size" in told else {"height", "width"} <= set(size)
        return named and done and sized

    def __call__(self, videos: Sequence[Sequence[Image.Image]], **options: Any) -> dict[str, Any]:
        """Normalize videos of equally many frames that have their final size.

        Args:
            videos: Their frames.
            options: Of these, the metadata are handed on if they are asked for.
        """
        if len({len(frames) for frames in videos}) > 1:
            raise BackboneError("this family takes videos of equally many frames only")
        pixels = torch.stack([torch.stack([self._normalized(frame) for frame in frames]) for frames in videos])
        made: dict[str, Any] = {PIXELS: pixels}
        if self._as_images:
            everywhere = torch.ones_like(pixels[:, :, 0], dtype=torch.long)
            made = dict(zip(OF_IMAGES, (pixels, everywhere), strict=True))
        if options.get("return_metadata"):
            made[METADATA] = make_batched_metadata(videos, options[METADATA])
        return made

    def fitted(self, frames: Sequence[Image.Image], most_tokens: int) -> list[Image.Image]:
        """Stretch frames to the square; each takes as many tokens as the family gives it."""
        resample = Image.Resampling(self.resample)
        return [self._first(frame, resample).resize(self.size, resample) for frame in frames]

    def grid(self, inputs: Mapping[str, Any]) -> None:
        """Say that no grid is counted."""
        return

    def _first(self, frame: Image.Image, resample: Image.Resampling) -> Image.Image:
        """Bring the longest side to its length first, where the family does (SmolVLM)."""
        if self._longest is None or frame.size == self.size:
            return frame
        (width, height), longest = frame.size, self._longest
        across = longest if width >= height else _even(int(longest * (width / height)))
        down = longest if width < height else _even(int(longest / (width / height)))
        return frame.resize((across, down), resample)

    def _normalized(self, frame: Image.Image) -> Tensor:
        pixels = torch.from_numpy(np.array(frame)).permute(2, 0, 1).float()
        return (pixels * self._scale - self._mean) / self._std


def _longest_edge(told: Mapping[str, Any]) -> int | None:
    """Find to what length the longest side of a frame comes before it is squared; None where it does not."""
    if not (told.get("max_image_size") or {}).get("longest_edge"):
        return None
    size = (told.get("video_sampling") or {}).get("video_size") or told.get("size") or {}
    return size.get("longest_edge")


def _even(side: int) -> int:
    return max(1, side + side % 2)
