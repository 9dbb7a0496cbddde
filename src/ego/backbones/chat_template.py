"""The chat template of a model: conversations -> text, and what the template does with images and blanks.

A template is a program of the model's makers. What Ego must know of it is found out by rendering small conversations:
where an image goes, whether images stay among the words, whether blanks around words are kept.
"""

import re
from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from ego.backbones.thinking import THOUGHT_SWITCHES, closed_thought
from ego.errors import BackboneError

Message = dict[str, Any]
Item = dict[str, str]

MARK = "\ue000{}\ue001"
"""Stands for words while the template is rendered; private-use characters survive any template."""
IMAGE: Item = {"type": "image"}
VIDEO: Item = {"type": "video"}
PLACE_NAMES = ("image_token", "boi_token", "fake_image_token", "start_image_token")
"""Attributes of processors that may name what the template writes for an image."""
VIDEO_PLACE_NAME = "video_token"
"""Attribute of processors that names what the template writes for a video."""


class ChatTemplate:
    """Renders conversations as the model's own processor does.

    Attributes:
        place: What the template writes for an image and the processor expands.
        around: What the template writes before and after that for an image alone.
        video_place: The same for a video; None where the template has no place of its own for one.
        around_video: What it writes before and after that.
        keeps_order: Whether images and words stay in the order given; some templates put all images first.
        trims: Whether blanks around words are taken away.
        leaves_thought_open: Whether the template by itself would leave a thought open.
        closing: Added behind every prompt: an empty thought, where a template would leave one open.
    """

    def __init__(self, processor: Any) -> None:
        """Look at a processor's template.

        Raises:
            BackboneError: If it cannot write a conversation with an image.
        """
        self._processor = processor
        self._switches = {name: False for name in THOUGHT_SWITCHES if re.search(rf"\b{name}\b", str(self._source()))}
        self.closing = ""
        alone = self._mark_of_words()
        self.place = self._place(alone)
        self.keeps_order = self._order_is_kept()
        self.around = self._around(alone, IMAGE, self.place)
        self.video_place, self.around_video = self._places_of_videos(alone)
        self.trims = MARK.format(0) + "\n" not in self.render([_user(_words("\n" + MARK.format(0) + "\n"))])
        self.closing = closed_thought(alone)
        self.leaves_thought_open = bool(self.closing)

    def render(self, messages: Sequence[Message]) -> str:
        """Write a conversation that waits for the model's answer.

        Raises:
            BackboneError: If the template does not take it.
        """
        try:
            rendered = self._processor.apply_chat_template(
                list(messages), add_generation_prompt=True, tokenize=False, **self._switches
            )
        except (TemplateError, ValueError, TypeError, KeyError, AttributeError, IndexError) as cause:
            reason = (str(cause).strip() or type(cause).__name__).splitlines()[0].rstrip(".")
            raise BackboneError(
                f"the chat template cannot write a conversation with words and images ({reason}); "
                "choose an instruction-tuned checkpoint for images"
            ) from cause
        return str(rendered) + self.closing

    def _source(self) -> Any:
        return self._processor.chat_template or self._processor.tokenizer.chat_template

    def _mark_of_words(self) -> str:
        """Render words alone, and see that they arrive as words."""
        alone, mark = self.render([_user(_words(MARK.format(0)))]), MARK.format(0)
        if alone.count(mark) != 1 or re.search(r"['\"]type['\"]\s*:", alone):
            raise BackboneError(
                "the chat template takes plain text only and has no place for images; "
                "choose an instruction-tuned checkpoint for images"
            )
        return alone

    def _place(self, alone: str) -> str:
        """Find the token that stands for an image: one that comes with every image, and only with them."""
        named = [getattr(self._processor, name, None) for name in PLACE_NAMES]
        tokens = [str(name) for name in named if name] + [str(t) for t in self._processor.tokenizer.get_added_vocab()]
        found = self._written_once_for_each(IMAGE, tokens, alone)
        if found is None:
            raise BackboneError(
                "the chat template has no place for images; choose an instruction-tuned checkpoint for images"
            )
        return found

    def _written_once_for_each(self, item: Item, tokens: Sequence[str], alone: str) -> str | None:
        one, two = (self.render([_user(*[item] * count, _words(MARK.format(0)))]) for count in (1, 2))
        for token in tokens:
            if (one.count(token) - alone.count(token), two.count(token) - alone.count(token)) == (1, 2):
                return token
        return None

    def _places_of_videos(self, alone: str) -> tuple[str | None, tuple[str, str]]:
        """Find the token that stands for a video among words, and what the template writes around it."""
        token = getattr(self._processor, VIDEO_PLACE_NAME, None)
        try:
            place = self._written_once_for_each(VIDEO, [token], alone) if token else None
        except BackboneError:  # a template for images and words only
            place = None
        if place is None or place == self.place or place in alone:
            return None, ("", "")
        return place, self._around(alone, VIDEO, place)

    def _order_is_kept(self) -> bool:
        words = [_words(MARK.format(number)) for number in range(3)]
        rendered = self.render([_user(words[0], IMAGE, words[1], IMAGE, words[2])])
        pattern = f"{re.escape(self.place)}|\ue000\\d\ue001"
        wanted = [MARK.format(0), self.place, MARK.format(1), self.place, MARK.format(2)]
        return re.findall(pattern, rendered) == wanted

    def _around(self, alone: str, item: Item, place: str) -> tuple[str, str]:
        """Cut out what stands around an image or a video, as far as it is not there without one."""
        if self.keeps_order:
            return self._around_among_words(item, place)
        rendered = self.render([_user(item, _words(MARK.format(0)))])
        before, after = rendered.split(place)
        ahead = alone.split(MARK.format(0), maxsplit=1)[0]
        after = after.split(MARK.format(0))[0]
        start = _common_start(before, ahead)
        left = before[start:]
        rest = ahead[start:]  # what the template writes before words stays with the words
        return left, after.removesuffix(rest) if rest else after

    def _around_among_words(self, item: Item, place: str) -> tuple[str, str]:
        words = [_words(MARK.format(number)) for number in range(2)]
        rendered = self.render([_user(words[0], item, words[1])])
        inside = rendered.split(MARK.format(0))[1].split(MARK.format(1))[0]
        before, after = inside.split(place)
        return before, after


def _common_start(one: str, other: str) -> int:
    size = min(len(one), len(other))
    return next((place for place in range(size) if one[place] != other[place]), size)


def _user(*content: Item) -> Message:
    return {"role": "user", "content": list(content)}


def _words(text: str) -> Item:
    return {"type": "text", "text": text}
