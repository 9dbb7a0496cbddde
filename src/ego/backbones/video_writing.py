"""Video -> model inputs and the markup with which the family writes it, timestamps included.

Frames are brought to a size that the family's video processor would leave as it is: within its own limits, and within
the number of visual tokens that a video may take.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any

from PIL import Image

from ego.backbones.chat_template import ChatTemplate
from ego.backbones.families import Family, VideoName
from ego.backbones.frame_pairs import METADATA, FramePairs
from ego.backbones.image_preparation import TOKENS_BY_DEFAULT
from ego.backbones.picture_writing import WrittenPicture, heard, markup_of
from ego.errors import BackboneError, VideoError
from ego.visual_tokens import Markup

IMAGES_IN_A_VIDEO = 2
"""A video takes as many visual tokens as so many images, at most."""
TICKS = 1000
"""Times are told in milliseconds, as if there were so many frames in a second."""
LONGEST_ASPECT = 200
"""Of families whose tokens follow the aspect of the picture."""


class VideoWriter:
    """The video side of a model's processor, set to a number of visual tokens.

    Attributes:
        pairs: Makes the patches.
        limit: Most visual tokens of a video.
    """

    def __init__(
        self, processor: Any, *, place: str, placeholders: tuple[str, str], count: VideoName, image_limit: int
    ) -> None:
        """Prepare.

        Args:
            processor: The whole processor.
            place: What stands for a video in a prompt before the processor expands it.
            placeholders: The tokens that one visual token of a video and of an image replace; a family may have one.
            count: What the limits of the family's video processor count.
            image_limit: Most visual tokens of an image.
        """
        self._whole, self._place, self._placeholders, self._count = processor, place, placeholders, count
        self.pairs: FramePairs = processor.video_processor
        self.limit = IMAGES_IN_A_VIDEO * image_limit

    def write(self, frames: Sequence[Image.Image], seconds: Sequence[float]) -> WrittenPicture:
        """Prepare upright RGB frames of one video.

        Args:
            frames: In order, at least two.
            seconds: When each is shown.

        Raises:
            BackboneError: If there are more pairs than visual tokens allowed.
            VideoError: If the frames are too long and narrow.
        """
        fitted, options = self.native(frames, seconds)
        text, inputs = heard(self._whole, self._place, videos=[fitted], videos_kwargs=options)
        return WrittenPicture(inputs, self._markup(text), fitted[0].size)

    def native(
        self, frames: Sequence[Image.Image], seconds: Sequence[float]
    ) -> tuple[list[Image.Image], dict[str, Any]]:
        """Bring frames to their final size, and say with which options a processor takes them.

        A frame that has no partner is shown twice.
        """
        missing = -len(frames) % self.pairs.temporal_patch_size
        size = self._size(frames[0].size, len(frames) + missing)
        resample = Image.Resampling(self.pairs.resample)
        fitted = [frame if frame.size == size else frame.resize(size, resample) for frame in frames]
        times = [*seconds, *[seconds[-1]] * missing]
        return fitted + fitted[-1:] * missing, {METADATA: [_metadata(times)], "do_sample_frames": False}

    def own_processor(self) -> Any:
        """Make a processor with the checkpoint's own video processor; None where torchvision is missing."""
        own = self.pairs.own()
        if own is None:
            return None
        twin = copy.copy(self._whole)
        twin.video_processor = own
        return twin

    def _size(self, size: tuple[int, int], count: int) -> tuple[int, int]:
        """Find whole tokens: at the aspect of the frames, as near to their pixels as the limits allow."""
        width, height = size
        if max(size) > LONGEST_ASPECT * min(size):
            raise VideoError(f"frames of {width}x{height} pixels are too long and narrow; crop the video")
        side = self.pairs.patch_size * self.pairs.merge_size
        most = self.limit // (count // self.pairs.temporal_patch_size)
        if most < 1:
            raise BackboneError(
                f"{self.limit} visual tokens are too few for a video of {count} frames; raise max_visual_tokens, "
                "or look at fewer frames"
            )
        share = 1 if self._count == "pixels of a frame" else count
        if self.pairs.largest is not None:
            most = max(1, min(most, int(self.pairs.largest / share / side**2)))
        least = min(most, math.ceil(self.pairs.smallest / share / side**2))
        cols, rows = _grid(width / side, height / side, least, most)
        return cols * side, rows * side

    def _markup(self, text: str) -> Markup:
        own, images = self._placeholders
        markup = markup_of(text, own)
        if markup is not None:
            return Markup(markup.words, markup.runs, as_video=own != images)
        markup = markup_of(text, images)
        if markup is None:
            raise BackboneError("the processor puts no placeholder of a video into the prompt")
        return markup


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


def video_writer(
    processor: Any, config: Any, template: ChatTemplate, family: Family, image_limit: int | None
) -> VideoWriter | None:
    """Find out how a family writes videos; None where it is shown one as several images."""
    token = getattr(config, "video_token_id", None)
    pairs = getattr(processor, "video_processor", None)
    if family.video is None or template.video_place is None or token is None or not isinstance(pairs, FramePairs):
        return None
    own, images = processor.tokenizer.convert_ids_to_tokens([token, config.image_token_id])
    return VideoWriter(
        processor,
        place=template.video_place,
        placeholders=(own, images),
        count=family.video,
        image_limit=image_limit or TOKENS_BY_DEFAULT,
    )


def _metadata(seconds: Sequence[float]) -> dict[str, Any]:
    """Tell the times of frames as a processor wants to be told: as numbers of frames in a film of 1000 a second."""
    ticks = [round(time * TICKS) for time in seconds]
    step = max(1, round((ticks[-1] - ticks[0]) / max(1, len(set(ticks)) - 1)))
    return {"total_num_frames": step * len(ticks), "fps": float(TICKS), "frames_indices": ticks}
