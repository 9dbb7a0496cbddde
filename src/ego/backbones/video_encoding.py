"""Video -> visual tokens: prepared as its processor would, run through tower and projector, laid out in time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from ego.backbones.capabilities import Capabilities
from ego.backbones.frame_pairs import GRID
from ego.backbones.geometry import grid_positions
from ego.backbones.picture_writing import WrittenPicture
from ego.backbones.runner import encode
from ego.backbones.video_writing import VideoWriter
from ego.visual_tokens import VisualTokens


class VideoEncoder:
    """The video side of one model.

    Attributes:
        writer: The video side of its processor.
    """

    def __init__(self, model: Any, *, writer: VideoWriter, can: Capabilities, like: Tensor) -> None:
        """Prepare.

        Args:
            model: The model.
            writer: The video side of its processor.
            can: How it wants to be called.
            like: A parameter of the model: its device and number format are used.
        """
        self._model, self.writer, self._can, self._like = model, writer, can, like

    def __call__(self, frames: Sequence[Image.Image], seconds: Sequence[float]) -> VisualTokens:
        """Run vision tower and projector once on upright RGB frames of one video, shown at the given seconds."""
        written = self.writer.write(frames, seconds)
        _, tokens = encode(self._model, dict(written.inputs), self._can, self._like, video=True)
        return self.on_grid(tokens, written)

    def on_grid(self, tokens: VisualTokens, written: WrittenPicture) -> VisualTokens:
        """Say how the tokens stand in a prompt, and at which moments, rows and columns.

        Families that write every pair of frames by itself let time pass with the words between them; others count it
        within the one run of tokens, some of them by the seconds.
        """
        pairs, *sides = written.inputs[GRID][0].tolist()
        rows, cols = (side // self.writer.pairs.merge_size for side in sides)
        apart = len(written.markup.runs) > 1 or pairs == 1
        moments = torch.zeros(pairs, dtype=torch.long) if apart else self._moments(pairs, written.inputs)
        return replace(
            tokens,
            markup=written.markup,
            grid=(rows, cols),
            grid_position=grid_positions(rows, cols).repeat(pairs, 1),
            grid_time=moments.repeat_interleave(rows * cols),
        )

    def _moments(self, pairs: int, inputs: Mapping[str, Any]) -> Int[Tensor, " pair"]:
        steps = getattr(self._model.config.vision_config, "tokens_per_second", None)
        seconds = inputs.get("second_per_grid_ts")
        scale = 1 if steps is None or seconds is None else steps * torch.as_tensor(seconds)[0]
        return (torch.arange(pairs) * scale).long()
