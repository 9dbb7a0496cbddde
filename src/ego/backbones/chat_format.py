"""Prompt -> token ids and the places of its visual tokens, in the model's own chat format.

The model's chat template is rendered once per prompt, with a mark where the user's words and memories go; what stands
around an image is learnt from the template and the processor. Words of the user never become control tokens: a control
token spelt in a name or a question is cut in two.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

from PIL import Image

from ego.errors import BackboneError
from ego.prompt import Prompt, Text, Turn
from ego.visual_tokens import VisualTokens

MARK = "\ue000{}\ue001"
"""Stands for the words of one turn while the template is rendered; private-use characters survive any template."""
PROBE_IMAGE = (96, 64)


@dataclass(frozen=True)
class Wrapper:
    """What stands around visual tokens.

    Attributes:
        fragment: What the chat template writes for an image.
        before: What the processor makes of it, up to the first placeholder.
        after: And from the last placeholder on.
    """

    fragment: str
    before: str
    after: str


@dataclass(frozen=True)
class Piece:
    """A stretch of a conversation: words, or a part's visual tokens.

    Attributes:
        content: Text or visual tokens.
        trusted: Whether control tokens in the text are meant.
        ends_part: Whether a part of the prompt is complete after it.
    """

    content: str | VisualTokens
    trusted: bool = True
    ends_part: bool = False


@dataclass(frozen=True)
class ChatTokens:
    """A prompt in tokens.

    Attributes:
        ids: Token ids, placeholders included.
        visuals: First position and tokens of every visual part, in order.
        part_ends: For every part of the prompt, the position behind its last token.
    """

    ids: tuple[int, ...]
    visuals: tuple[tuple[int, VisualTokens], ...]
    part_ends: tuple[int, ...]


class ChatFormat:
    """The chat format of one model."""

    def __init__(self, processor: Any, config: Any) -> None:
        self._processor, self._tokenizer = processor, processor.tokenizer
        self._image_token = int(config.image_token_id)
        self._control = _control_pattern(self._tokenizer, config)
        self._opening = _opening(self._tokenizer)
        self.wrapper = self._find_wrapper()

    def tokenize(self, prompt: Prompt) -> ChatTokens:
        """Lay a prompt out in tokens.

        Every part ends on a token boundary, so that the beginning of a prompt can be prefilled.
        """
        ids: list[int] = []
        visuals, ends = [], []
        words: list[Piece] = []
        for piece in self._pieces(prompt):
            if isinstance(piece.content, VisualTokens):
                ids += self._ids(words)
                words = []
                visuals.append((len(ids), piece.content))
                ids += [self._image_token] * len(piece.content)
            else:
                words.append(piece)
            if piece.ends_part:
                ids += self._ids(words)
                words = []
                ends.append(len(ids))
        return ChatTokens((*ids, *self._ids(words)), tuple(visuals), tuple(ends))

    def plain_ids(self, text: str) -> list[int]:
        """Tokenize words that must not become control tokens."""
        return self._ids([Piece(text, trusted=False)])

    def native_ids(self, image: Image.Image, question: str) -> list[int]:
        """Let the model's own processor lay out one image and a question, for comparison."""
        content = [{"type": "image"}, {"type": "text", "text": question}]
        rendered = self._render([{"role": "user", "content": content}])
        ids = self._processor(
            text=[rendered],
            images=[[image]],
            add_special_tokens=not rendered.startswith(self._tokenizer.bos_token or "\ue002"),
        )["input_ids"][0]
        return list(ids)

    def _pieces(self, prompt: Prompt) -> Iterator[Piece]:
        """Render the conversation and put the parts where the template wants them."""
        leading = [_leading_visuals(turn) for turn in prompt.turns]
        messages = [
            {"role": turn.role, "content": _content(turn, count, MARK.format(number))}
            for number, (turn, count) in enumerate(zip(prompt.turns, leading, strict=True))
        ]
        rendered = self._render(messages)
        yield Piece("" if rendered.startswith(self._tokenizer.bos_token or MARK) else self._opening)
        parts = [iter(turn.parts) for turn in prompt.turns]
        owners = iter([number for number, count in enumerate(leading) for _ in range(count)])
        for text in re.split(f"({re.escape(self.wrapper.fragment)}|\ue000\\d+\ue001)", rendered):
            if text == self.wrapper.fragment:
                yield from self._part(next(parts[next(owners)]))
            elif text.startswith("\ue000"):
                for part in parts[int(text[1:-1])]:
                    yield from self._part(part)
            else:
                yield Piece(text)

    def _part(self, part: Any) -> Iterator[Piece]:
        if isinstance(part, Text):
            yield Piece(part.text, trusted=False, ends_part=True)
            return
        yield Piece(self.wrapper.before)
        yield Piece(part.tokens)
        yield Piece(self.wrapper.after, ends_part=True)

    def _ids(self, words: Sequence[Piece]) -> list[int]:
        """Tokenize adjacent words together, as the processor would, with control tokens of the user cut in two."""
        text = "".join(str(piece.content) for piece in words)
        trusted = [trust for piece in words for trust in [piece.trusted] * len(str(piece.content))]
        cuts = [match.start(1) for match in self._control.finditer(text) if not all(trusted[slice(*match.span(1))])]
        edges = [0, *(cut + 1 for cut in cuts), len(text)]
        stretches = [text[start:stop] for start, stop in pairwise(edges)]
        return [token for stretch in stretches if stretch for token in self._encode(stretch)]

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _render(self, messages: list[dict[str, Any]]) -> str:
        # Models that can think aloud are asked not to; other templates ignore the word.
        rendered = self._tokenizer.apply_chat_template(
            messages,
            chat_template=self._processor.chat_template,
            add_generation_prompt=True,
            tokenize=False,
            enable_thinking=False,
        )
        return str(rendered)

    def _find_wrapper(self) -> Wrapper:
        """Learn what surrounds an image: compare the template with and without one, let the processor expand it."""
        image, words = {"type": "image"}, {"type": "text", "text": MARK.format(0)}
        with_image = self._render([{"role": "user", "content": [image, words]}])
        without = self._render([{"role": "user", "content": [words]}])
        start = _common(with_image, without)
        tail = _common(with_image[start:][::-1], without[start:][::-1])
        fragment = with_image[start : len(with_image) - tail]
        ids = self._processor(text=[fragment], images=[[Image.new("RGB", PROBE_IMAGE)]], add_special_tokens=False)
        if not fragment:
            raise BackboneError("the chat template has no place for images; choose an instruction-tuned checkpoint")
        before, after = _around_last_run(list(ids["input_ids"][0]), self._image_token)
        return Wrapper(fragment, self._decode(before), self._decode(after))

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _common(one: str, other: str) -> int:
    """Count the characters with which both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _leading_visuals(turn: Turn) -> int:
    """Count the visual parts a turn begins with: these the template places itself, the others follow the words."""
    words = [number for number, part in enumerate(turn.parts) if isinstance(part, Text)]
    return words[0] if words else len(turn.parts)


def _content(turn: Turn, leading: int, mark: str) -> list[dict[str, str]]:
    images = [{"type": "image"}] * leading
    return [*images, {"type": "text", "text": mark}] if leading < len(turn.parts) else images


def _around_last_run(ids: list[int], image_token: int) -> tuple[list[int], list[int]]:
    """Cut out what stands before and after the last unbroken run of placeholders."""
    if image_token not in ids:
        raise BackboneError("the processor puts no image placeholder into the prompt; the model cannot be used")
    last = len(ids) - 1 - ids[::-1].index(image_token)
    first = last
    while first > 0 and ids[first - 1] == image_token:
        first -= 1
    earlier = [position for position in range(first) if ids[position] == image_token]
    return ids[earlier[-1] + 1 if earlier else 0 : first], ids[last + 1 :]


def _control_pattern(tokenizer: Any, config: Any) -> re.Pattern[str]:
    """Match every control token, overlapping ones too, the longest first."""
    placeholders = {
        value
        for name, value in config.to_dict().items()
        if name.endswith(("_token_id", "_token_index")) and isinstance(value, int)
    }
    spelt = {
        token.content
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special or number in placeholders
    }
    return re.compile(f"(?=({'|'.join(re.escape(word) for word in sorted(spelt, key=len, reverse=True)) or '(?!)'}))")


def _opening(tokenizer: Any) -> str:
    """Spell what the tokenizer puts before every text by itself, for templates that leave it to the tokenizer."""
    begins = tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
    return str(tokenizer.bos_token) if begins and tokenizer.bos_token else ""
