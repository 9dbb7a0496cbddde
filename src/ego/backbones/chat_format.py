"""Prompt -> token ids and the places of its visual tokens, in the model's own chat format.

The model's chat template is rendered once per prompt, with marks where words go; images of the template become what the
model's processor writes for them. What comes out is, token for token, what that processor makes of the conversation
(`parity.py` proves it at load); memories stand where images could, between the family's own delimiters.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count, groupby, zip_longest
from typing import Any

from PIL import Image

from ego.backbones.chat_template import IMAGE, MARK, VIDEO, ChatTemplate, Message
from ego.backbones.chat_tokens import ChatTokens, PartEnd, Piece, Placed, Run
from ego.backbones.picture_writing import PictureWriter
from ego.backbones.thinking import BEHIND_A_THOUGHT
from ego.backbones.tokenization import Tokenization, Words
from ego.errors import BackboneError, ImageError
from ego.prompt import Part, Prompt, Text, Turn
from ego.visual_tokens import Markup, VisualTokens

PROBE_IMAGE = (96, 64)
SMALL_IMAGES = (PROBE_IMAGE, (64, 64))
"""Sizes at which a family writes an image as simply as it can."""
SIZES = 256
"""Sizes of images of whose memories it is kept how they are written."""


class ChatFormat:
    """The chat format of one model.

    Attributes:
        template: Its chat template.
        delimiters: What stands before and after the visual tokens of a memory.
    """

    def __init__(self, processor: Any, config: Any, template: ChatTemplate, writer: PictureWriter) -> None:
        """Learn how the model writes conversations.

        Args:
            processor: The model's processor.
            config: Configuration of the model.
            template: Its chat template.
            writer: The image side of the processor.
        """
        self._processor, self.template, self._writer = processor, template, writer
        self._markup_of_size = lru_cache(SIZES)(self._written_at)
        self._image_token = int(config.image_token_id)
        self._video_token = int(getattr(config, "video_token_id", None) or config.image_token_id)
        simplest = min((writer.write(Image.new("RGB", size)).markup for size in SMALL_IMAGES), key=_run_count)
        self.delimiters = simplest.words[0], simplest.words[-1]
        spelt = [template.place, *simplest.words, *_named_tokens(processor.tokenizer, config)]
        placeholder = processor.tokenizer.convert_ids_to_tokens(self._image_token)
        self._words = Tokenization(processor.tokenizer, placeholder=placeholder, control=spelt)
        self._waiting = template.render([_said("user", _words(MARK.format(0)))])
        self._opening = self._ids_before_everything()

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return self._processor.tokenizer

    def tokenize(self, prompt: Prompt) -> ChatTokens:
        """Lay a prompt out in tokens.

        Every part ends on a token boundary, so that the beginning of a prompt can be prefilled.
        """
        visuals = [part.tokens for part in prompt.parts if not isinstance(part, Text)]
        runs: list[list[tuple[int, int]]] = [[] for _ in visuals]
        ids, ends = list(self._opening), []
        stretches = [
            list(group) for _, group in groupby(self._pieces(prompt), key=lambda piece: isinstance(piece, Run))
        ]
        for number, stretch in enumerate(stretches):
            if isinstance(stretch[0], Run):
                for run in stretch:
                    assert isinstance(run, Run)
                    runs[run.visual].append((len(ids), run.length))
                    ids += [run.token] * run.length
            else:
                more, stops = self._stretch(stretch, number > 0, number + 1 < len(stretches))
                ends += [len(ids) + stop for stop in stops]
                ids += more
        placed = tuple(Placed(tokens, tuple(own)) for tokens, own in zip(visuals, runs, strict=True))
        return ChatTokens(tuple(ids), placed, tuple(ends))

    def begin_answers_with(self, text: str) -> None:
        """Write this behind every prompt from now on: an empty thought, or what a model puts before its answers."""
        self.template.closing += text
        self._waiting = self.template.render([_said("user", _words(MARK.format(0)))])

    def answer_behind(self, closing: str) -> None:
        """Leave thinking to the model from now on: prompts end as the template ends them, answers follow a thought."""
        self.template.closing = ""
        waiting = self.template.render([_said("user", _words(MARK.format(0)))])
        self._waiting = f"{waiting}{closing}{BEHIND_A_THOUGHT}"

    def plain_ids(self, text: str) -> list[int]:
        """Tokenize the beginning of an answer, as words that must not become control tokens."""
        return self._words.continued(self._waiting.split(MARK.format(0))[1], text)

    def shown(self, ids: Sequence[int]) -> str:
        """Decode tokens, control tokens included."""
        return str(self._processor.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    def spells_control(self, words: Sequence[Words]) -> bool:
        """Say whether words of users would be read as control tokens where the whole is tokenized at once."""
        return self._words.spells_control(words)

    def markup_of(self, tokens: VisualTokens) -> Markup:
        """Say how visual tokens are written: as their picture is, or between the delimiters of a memory."""
        markup = tokens.markup
        if markup is None and tokens.whole_of is not None:
            markup = self._markup_of_size(tokens.whole_of)
        fits = markup is not None and len(markup) == len(tokens)
        return markup if fits and markup is not None else Markup(self.delimiters, (len(tokens),))

    def _written_at(self, size: tuple[int, int]) -> Markup | None:
        try:
            return self._writer.write(Image.new("RGB", size)).markup
        except (ImageError, BackboneError):  # a size that no image of this model can have
            return None

    def native_ids(self, image: Image.Image, question: str) -> list[int]:
        """Let the model's own processor lay out one image and a question."""
        message = _said("user", IMAGE, _words(question))
        return [int(token) for token in self.native_inputs([message], [image])["input_ids"][0]]

    def native_inputs(
        self, messages: Sequence[Message], images: Sequence[Image.Image], *, by: Any = None, **options: Any
    ) -> Any:
        """Let the model's own processor prepare a conversation that waits for an answer.

        Args:
            messages: The conversation.
            images: Its images, in order.
            by: Another processor of the same kind; None for the one that prompts are written with.
            options: Passed on; videos are among them.
        """
        rendered = self.template.render(messages)
        bos = self._processor.tokenizer.bos_token
        opened = {"add_special_tokens": False} if bos and rendered.startswith(bos) else {}
        return (by or self._processor)(
            text=[rendered], images=[list(images)] if images else None, **self._writer.options, **opened, **options
        )

    def _pieces(self, prompt: Prompt) -> Iterator[Piece]:
        """Render the conversation and put the parts where the template wants them."""
        visuals = count()
        items = [[list(item) for item in _items(turn, self.template.keeps_order)] for turn in prompt.turns]
        marked = [item for turn in items for item in turn if _is_words(item)]
        shown = iter([item[0] for turn in items for item in turn if not _is_words(item)])
        numbers = iter(range(len(marked)))
        messages = [
            _said(
                turn.role, *[_words(MARK.format(next(numbers))) if _is_words(item) else _shown(*item) for item in own]
            )
            for turn, own in zip(prompt.turns, items, strict=True)
        ]
        after = None
        places = {self.template.place: self.template.around[1]}
        if self.template.video_place is not None:
            places[self.template.video_place] = self.template.around_video[1]
        pattern = "|".join(map(re.escape, places))
        for text in re.split(f"({pattern}|\ue000\\d+\ue001)", self.template.render(messages)):
            if text in places:
                yield from self._picture(next(shown), next(visuals))
            elif text.startswith("\ue000"):
                yield from self._said_in_words(marked[int(text[1:-1])], visuals)
            else:
                yield from [Words(text)] if after is None else self._template_words(text, after)
            after = places.get(text)

    def _template_words(self, text: str, after: str) -> Iterator[Piece]:
        """Write what the template puts behind an image; its beginning may belong to the image."""
        own = after if text.startswith(after) else ""
        yield Words(own)
        yield PartEnd()
        yield Words(text.removeprefix(own))

    def _said_in_words(self, parts: Sequence[Part], visuals: Iterator[int]) -> Iterator[Piece]:
        """Write what stands at the place of words: words, and images among them where a template would move them."""
        for part in _trimmed(parts) if self.template.trims else parts:
            if isinstance(part, Text):
                yield Words(part.text, trusted=False)
            else:
                before, after = self.template.around_video if part.tokens.is_video else self.template.around
                yield Words(before)
                yield from self._picture(part, next(visuals))
                yield Words(after)
            yield PartEnd()

    def _picture(self, part: Part, number: int) -> Iterator[Piece]:
        """Write the runs of placeholders of a picture or a memory, and the words around them."""
        assert not isinstance(part, Text)
        markup = self.markup_of(part.tokens)
        token = self._video_token if markup.as_video else self._image_token
        for words, length in zip_longest(markup.words, markup.runs):
            yield Words(words)
            if length is not None:
                yield Run(number, length, token)

    def _stretch(self, pieces: Sequence[Piece], after: bool, before: bool) -> tuple[list[int], list[int]]:
        words: list[Words] = []
        ends, length = [], 0
        for piece in pieces:
            if isinstance(piece, Words):
                words.append(piece)
                length += len(piece.text)
            else:
                ends.append(length)
        return self._words.stretch(words, ends, after_visual=after, before_visual=before)

    def _ids_before_everything(self) -> tuple[int, ...]:
        """Find what the processor puts before a text by itself, for templates that leave it to the tokenizer."""
        words = _said("user", _words("x"))
        native = [int(token) for token in self.native_inputs([words], [])["input_ids"][0]]
        alone = self._words.tokenizer(self.template.render([words]), add_special_tokens=False)["input_ids"]
        return tuple(native[: len(native) - len(alone)]) if native[-len(alone) :] == alone else ()


def _is_words(item: Sequence[Part]) -> bool:
    """Tell words (perhaps with images among them) from an image."""
    return len(item) > 1 or isinstance(item[0], Text)


def _shown(part: Part) -> dict[str, str]:
    return VIDEO if not isinstance(part, Text) and part.tokens.is_video else IMAGE


def _said(role: str, *content: dict[str, str]) -> Message:
    return {"role": role, "content": list(content)}


def _words(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _items(turn: Turn, keeps_order: bool) -> Iterator[list[Part]]:
    """Group the parts of a turn as the template is given them: adjacent words together, every image by itself.

    A template that moves images before the words is given those of one kind that stand there anyway; the others stay
    among the words, which belong to them.
    """
    groups = [(kind, list(group)) for kind, group in groupby(turn.parts, key=_kind_of)]
    while groups and (keeps_order or groups[0][0] is not Text):
        kind, parts = groups.pop(0)
        yield from [parts] if kind is Text else ([part] for part in parts)
        if not keeps_order:
            break
    rest = [part for _, parts in groups for part in parts]
    if rest:
        yield rest


def _kind_of(part: Part) -> object:
    """Tell words, images and videos apart."""
    return Text if isinstance(part, Text) else part.tokens.is_video


def _trimmed(parts: Sequence[Part]) -> list[Part]:
    """Take blanks away at both ends, as the template does with the words it is given."""
    kept = list(parts)
    for places, strip in ((range(len(kept)), str.lstrip), (reversed(range(len(kept))), str.rstrip)):
        for place in places:
            part = kept[place]
            if not isinstance(part, Text):
                break
            kept[place] = Text(strip(part.text))
            if strip(part.text):
                break
    return kept


def _run_count(markup: Markup) -> int:
    return len(markup.runs)


def _named_tokens(tokenizer: Any, config: Any) -> list[str]:
    """Spell the tokens that the configuration names, such as those of images and videos."""
    ids = [
        value
        for name, value in config.to_dict().items()
        if name.endswith(("_token_id", "_token_index")) and isinstance(value, int) and 0 <= value < len(tokenizer)
    ]
    return [str(token) for token in tokenizer.convert_ids_to_tokens(ids)]
