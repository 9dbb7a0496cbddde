"""Image -> model inputs and the markup with which the family writes it, both from the model's own processor.

The processor is called as its makers call it: with a prompt in which the image stands. What it makes of the image's
place (placeholders, tile marks, row marks) is heard where it asks its tokenizer for ids.
"""

import copy
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from ego.backbones.families import Family
from ego.backbones.image_preparation import ImageSettings
from ego.errors import BackboneError, ImageError
from ego.visual_tokens import Markup

SEPARATOR = "\ue002"
MARGIN = 0.98
"""Each copy of an image that takes too many tokens is at least so much smaller than the one before."""
STRIDE = 0.75
"""How much smaller it becomes when that was in vain: a processor that resizes by itself sees no small change."""
VAIN_ATTEMPTS = 12
TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids", "labels")


@dataclass(frozen=True, eq=False)
class WrittenPicture:
    """An image as the model's processor writes it.

    Attributes:
        inputs: What `get_image_features` may take.
        markup: How its visual tokens stand in a prompt.
        size: Width and height of the image that was written, which may be smaller than the one given.
    """

    inputs: Mapping[str, Any]
    markup: Markup
    size: tuple[int, int]


class PictureWriter:
    """The image side of a model's processor, set to a number of visual tokens.

    Attributes:
        processor: The image processor.
        one_of_several: Whether each image is written as one of two.
    """

    def __init__(
        self,
        processor: Any,
        image_settings: ImageSettings,
        *,
        place: str,
        around: tuple[str, str],
        placeholder: str,
        family: Family,
    ) -> None:
        """Prepare.

        Args:
            processor: The whole processor.
            image_settings: How its image processor was set.
            place: What stands for an image in a prompt before the processor expands it.
            around: What the chat template writes before and after it; some processors look for that.
            placeholder: The token that one visual token replaces.
            family: Whose it is, for messages.
        """
        self._whole, self._chosen, self._family = processor, image_settings, family
        self._place, self._around, self._placeholder = place, around, placeholder
        self.processor, self.one_of_several = image_settings.processor, image_settings.one_of_several

    def __call__(self, image: Image.Image) -> dict[str, Any]:
        """Turn one image into what `get_image_features` takes."""
        return dict(self.write(image).inputs)

    @property
    def options(self) -> dict[str, Any]:
        """What the whole processor must be told with every call."""
        return {"images_kwargs": dict(self._chosen.overrides)} if self._chosen.overrides else {}

    @property
    def limit(self) -> int | None:
        """Most visual tokens of an image, where there is a limit."""
        return self._chosen.limit

    def settings(self) -> dict[str, Any]:
        """List everything that decides about the pixels."""
        return self._chosen.described()

    def write(self, image: Image.Image) -> WrittenPicture:
        """Prepare one upright RGB image; made smaller as long as it takes more visual tokens than allowed.

        Raises:
            BackboneError: If the family cannot write it in so few tokens.
            ImageError: If the processor does not take an image of this shape.
        """
        written, limit = self._written(image), self._chosen.limit
        if limit is None or len(written.markup) <= limit:
            return written
        written = self._made_smaller(image, written, limit)
        if self._chosen.strict and len(written.markup) > limit:
            raise BackboneError(
                f"max_visual_tokens={limit} is too low: an image takes {len(written.markup)} with {self._family.name}"
            )
        return written

    def _made_smaller(self, image: Image.Image, written: WrittenPicture, limit: int) -> WrittenPicture:
        """Write ever smaller copies until one fits, or until smaller ones take no fewer tokens."""
        in_vain, best = 0, written
        while len(best.markup) > limit and in_vain < VAIN_ATTEMPTS and max(image.size) > 1:
            scale = STRIDE if in_vain else min(MARGIN, math.sqrt(limit / len(written.markup)))
            image = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BICUBIC)
            written = self._written(image)
            in_vain = 0 if len(written.markup) < len(best.markup) else in_vain + 1
            best = written if len(written.markup) < len(best.markup) else best
        return best

    def _written(self, image: Image.Image) -> WrittenPicture:
        count = 2 if self.one_of_several else 1
        before, after = self._around
        heard, inputs = self._heard(SEPARATOR.join([f"{before}{self._place}{after}"] * count), [image] * count)
        markup = self._markup(heard.split(SEPARATOR)[0].removeprefix(before).removesuffix(after))
        if self.one_of_several:
            inputs = {name: value if name == "batch_num_images" else value[:1] for name, value in inputs.items()}
        return WrittenPicture(inputs, markup, image.size)

    def _heard(self, text: str, images: list[Image.Image]) -> tuple[str, dict[str, Any]]:
        try:
            return heard(self._whole, text, images=[images], **self.options)
        except ValueError as cause:
            width, height = images[0].size
            raise ImageError(
                f"{self._family.name} does not take an image of {width}x{height} pixels ({cause}); crop it"
            ) from cause

    def _markup(self, text: str) -> Markup:
        markup = markup_of(text, self._placeholder)
        if markup is None:
            raise BackboneError("the processor puts no image placeholder into the prompt; the model cannot be used")
        return markup


def heard(whole: Any, text: str, **shown: Any) -> tuple[str, dict[str, Any]]:
    """Call a whole processor, and listen to what text it has tokenized; what it made of the text is left out."""
    listener, twin = ListeningTokenizer(whole.tokenizer), copy.copy(whole)
    twin.tokenizer = listener
    made = twin(text=[text], return_tensors="pt", **shown)
    return listener.heard, {name: value for name, value in made.items() if name not in TEXT_INPUTS}


def markup_of(text: str, placeholder: str) -> Markup | None:
    """Cut what a processor has written at its runs of placeholders; None where there is none."""
    run = re.compile(f"(?:{re.escape(placeholder)})+")
    runs = tuple(len(match.group()) // len(placeholder) for match in run.finditer(text))
    return Markup(tuple(run.split(text)), runs) if runs else None


class ListeningTokenizer:
    """A tokenizer that writes down what it is asked to tokenize.

    Attributes:
        heard: The last text.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.heard = ""

    def __call__(self, text: Any = None, *further: Any, **options: Any) -> Any:
        """Note the text, and do what a tokenizer does."""
        self.heard = text if isinstance(text, str) else str(text[0])
        return self._tokenizer(text, *further, **options)

    def __getattr__(self, name: str) -> Any:
        """Answer everything else as the tokenizer does."""
        return getattr(self._tokenizer, name)
