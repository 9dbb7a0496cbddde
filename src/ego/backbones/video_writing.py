"""Video -> model inputs and the markup with which the family writes it, timestamps included.

Frames are brought to a size that the family's video processor would leave as it is: within its own limits, and within
the number of visual tokens that a video may take.
"""

import copy
from collections.abc import Sequence
from typing import Any

from PIL import Image

from ego.backbones.chat_template import ChatTemplate
from ego.backbones.empty_places import METADATA, VideoPlace
from ego.backbones.families import Family
from ego.backbones.image_preparation import TOKENS_BY_DEFAULT
from ego.backbones.picture_writing import WrittenPicture, heard, markup_of
from ego.errors import BackboneError
from ego.visual_tokens import Markup

IMAGES_IN_A_VIDEO = 2
"""A video takes as many visual tokens as so many images, at most."""
FEWEST = 2  # frames
TICKS = 1000
"""Times are told in milliseconds, as if there were so many frames in a second."""


class VideoWriter:
    """The video side of a model's processor, set to a number of visual tokens.

    Attributes:
        frames: Makes what the model takes of frames.
        limit: Most visual tokens of a video.
    """

    def __init__(self, processor: Any, *, place: str, placeholders: tuple[str, str], image_limit: int) -> None:
        """Prepare.

        Args:
            processor: The whole processor.
            place: What stands for a video in a prompt before the processor expands it.
            placeholders: The tokens that one visual token of a video and of an image replace; a family may have one.
            image_limit: Most visual tokens of an image.
        """
        self._whole, self._place, self._placeholders = processor, place, placeholders
        self.frames: VideoPlace = processor.video_processor
        self.limit = IMAGES_IN_A_VIDEO * image_limit

    def write(self, frames: Sequence[Image.Image], seconds: Sequence[float]) -> WrittenPicture:
        """Prepare upright RGB frames of one video; evenly fewer of them where a family cannot spend less on each.

        Args:
            frames: In order, at least two.
            seconds: When each is shown.

        Raises:
            BackboneError: If there are more pairs than visual tokens allowed.
            VideoError: If the frames are too long and narrow.
        """
        fitted, options = self.native(frames, seconds)
        text, inputs = heard(self._whole, self._place, videos=[fitted], videos_kwargs=options)
        markup = self._markup(text)
        if len(markup) > self.limit and len(frames) > FEWEST:  # a family that gives each frame a fixed number of tokens
            fewer = max(FEWEST, self.limit * len(frames) // len(markup))
            kept = [index * (len(frames) - 1) // (fewer - 1) for index in range(fewer)]
            return self.write([frames[index] for index in kept], [seconds[index] for index in kept])
        return WrittenPicture(inputs, markup, fitted[0].size)

    def native(
        self, frames: Sequence[Image.Image], seconds: Sequence[float]
    ) -> tuple[list[Image.Image], dict[str, Any]]:
        """Bring frames to their final size, and say with which options a processor takes them.

        A frame that has no partner is shown twice.
        """
        missing = -len(frames) % self.frames.temporal_patch_size
        fitted = self.frames.fitted([*frames, *[frames[-1]] * missing], self.limit)
        times = [*seconds, *[seconds[-1]] * missing]
        return fitted, {METADATA: [_metadata(times)], "do_sample_frames": False, **self.frames.options}

    def own_processor(self) -> Any:
        """Make a processor with the checkpoint's own video processor; None where torchvision is missing."""
        own = self.frames.own()
        if own is None:
            return None
        twin = copy.copy(self._whole)
        twin.video_processor = own
        return twin

    def _markup(self, text: str) -> Markup:
        own, images = self._placeholders
        markup = markup_of(text, own)
        if markup is not None:
            return Markup(markup.words, markup.runs, as_video=own != images)
        markup = markup_of(text, images)
        if markup is None:
            raise BackboneError("the processor puts no placeholder of a video into the prompt")
        return markup


def video_writer(
    processor: Any, config: Any, template: ChatTemplate, family: Family, image_limit: int | None
) -> VideoWriter | None:
    """Find out how a family writes videos; None where it is shown one as several images."""
    stand_in = getattr(processor, "video_processor", None)
    if family.video is None or template.video_place is None or not isinstance(stand_in, VideoPlace):
        return None
    token = getattr(config, "video_token_id", None) or config.image_token_id
    own, images = processor.tokenizer.convert_ids_to_tokens([token, config.image_token_id])
    return VideoWriter(
        processor,
        place=template.video_place,
        placeholders=(own, images),
        image_limit=image_limit or TOKENS_BY_DEFAULT,
    )


def _metadata(seconds: Sequence[float]) -> dict[str, Any]:
    """Tell the times of frames as a processor wants to be told: as numbers of frames in a film of 1000 a second."""
    ticks = [round(time * TICKS) for time in seconds]
    step = max(1, round((ticks[-1] - ticks[0]) / max(1, len(set(ticks)) - 1)))
    return {"total_num_frames": step * len(ticks), "fps": float(TICKS), "frames_indices": ticks}
