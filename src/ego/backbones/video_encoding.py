"""Video -> visual tokens: prepared as its processor would, run through tower and projector, laid out in time."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from ego.backbones.assembly import FeatureForm
from ego.backbones.capabilities import Capabilities
from ego.backbones.geometry import grid_positions
from ego.backbones.picture_writing import WrittenPicture
from ego.backbones.runner import encode
from ego.backbones.video_writing import VideoWriter
from ego.errors import EgoError, SelfCheckError
from ego.visual_tokens import VisualTokens

SMALL_FRAME = (96, 64)
VIDEO_FAULTS = (EgoError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError)
"""What a video side that does not fit its model may end in."""
_log = logging.getLogger(__name__)


class VideoEncoder:
    """The video side of one model.

    Attributes:
        writer: The video side of its processor.
        form: The form in which the model hands the features of a video over.
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
        sample, _ = self._encoded(writer.write([Image.new("RGB", SMALL_FRAME)] * 2, (0.0, 1.0)))
        self.form = FeatureForm.of(sample)

    def __call__(self, frames: Sequence[Image.Image], seconds: Sequence[float]) -> VisualTokens:
        """Run vision tower and projector once on upright RGB frames of one video, shown at the given seconds."""
        written = self.writer.write(frames, seconds)
        _, tokens = self._encoded(written)
        return self.on_grid(tokens, written)

    def on_grid(self, tokens: VisualTokens, written: WrittenPicture) -> VisualTokens:
        """Say how the tokens stand in a prompt, and at which moments, rows and columns.

        Families that write every pair of frames by itself let time pass with the words between them; others count it
        within the one run of tokens, some of them by the seconds. Where no grid is counted, tokens stand in order.
        """
        shape = self.writer.frames.grid(written.inputs)
        if shape is None:
            return replace(tokens, markup=written.markup, grid_time=torch.zeros(len(tokens), dtype=torch.long))
        pairs, rows, cols = shape
        apart = len(written.markup.runs) > 1 or pairs == 1
        moments = torch.zeros(pairs, dtype=torch.long) if apart else self._moments(pairs, written.inputs)
        return replace(
            tokens,
            markup=written.markup,
            grid=(rows, cols),
            grid_position=grid_positions(rows, cols).repeat(pairs, 1),
            grid_time=moments.repeat_interleave(rows * cols),
        )

    def _encoded(self, written: WrittenPicture) -> tuple[Any, VisualTokens]:
        """Run tower and projector; a family without features of videos takes the frames as images."""
        inputs, has_own = dict(written.inputs), bool(self._can.video_arguments)
        output, tokens = encode(self._model, inputs, self._can, self._like, video=has_own)
        if len(tokens) != len(written.markup):
            raise SelfCheckError(
                f"the processor writes {len(written.markup)} placeholders for a video of {len(tokens)} visual tokens"
            )
        return output, tokens

    def _moments(self, pairs: int, inputs: Mapping[str, Any]) -> Int[Tensor, " pair"]:
        steps = getattr(self._model.config.vision_config, "tokens_per_second", None)
        seconds = inputs.get("second_per_grid_ts")
        scale = 1 if steps is None or seconds is None else steps * torch.as_tensor(seconds)[0]
        return (torch.arange(pairs) * scale).long()


def video_encoder(model: Any, writer: VideoWriter | None, can: Capabilities, like: Tensor) -> VideoEncoder | None:
    """Take the video side of a model into use; None where it has none, or does not take what its processor makes."""
    try:
        return None if writer is None else VideoEncoder(model, writer=writer, can=can, like=like)
    except VIDEO_FAULTS as cause:
        _log.warning("videos are shown as several images: %s", first_line(cause))
        return None


def first_line(cause: BaseException) -> str:
    """Say in one line what went wrong."""
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]
