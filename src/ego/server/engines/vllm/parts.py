"""A prompt -> messages of vLLM's chat completions, laid out token for token as the model in this process would read it.

Words of a user never become control tokens: words that spell one are sent as the embeddings of their tokens, cut in
two, so that the server has nothing to read them from.
"""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.tokenization import Words
from ego.errors import InputError
from ego.prompt import Picture, Prompt, Text, Turn
from ego.visual_tokens import VisualTokens

RESERVED = "<prompt_embeds>"  # what vLLM puts into the text for rows


@dataclass(frozen=True)
class ChatParts:
    """Spells prompts for one model.

    Attributes:
        backbone: The same model, in this process.
        pixels: Whether pictures are sent as pixels; else as the rows that the vision tower made of them.
    """

    backbone: HuggingFaceBackbone
    pixels: bool

    def messages(self, prompt: Prompt, images: Mapping[int, Image.Image]) -> list[dict[str, Any]]:
        """Spell a prompt.

        Args:
            prompt: The conversation.
            images: The pixels of each picture, by the identity of its tokens.
        """
        return [{"role": turn.role, "content": list(self._content(turn, images))} for turn in prompt.turns]

    def _content(self, turn: Turn, images: Mapping[int, Image.Image]) -> Iterator[dict[str, Any]]:
        words: list[Words] = []
        for part in turn.parts:
            if isinstance(part, Text):
                words.append(Words(part.text, trusted=False))
            elif isinstance(part, Picture) and self.pixels:
                yield from self._spell(words)
                words = []
                yield image_part(self._as_seen(images[id(part.tokens)], part.tokens))
            else:
                before, after = self.backbone.chat.template.around
                words.append(Words(before))
                for piece in self._in_rows(part.tokens):
                    if isinstance(piece, Words):
                        words.append(piece)
                    else:
                        yield from self._spell(words)
                        words = []
                        yield rows_part(piece)
                words.append(Words(after))
        yield from self._spell(words)

    def _as_seen(self, image: Image.Image, tokens: VisualTokens) -> Image.Image:
        """Bring a picture to the size at which its grid was cut, as the processor here does.

        The server's processor may resize by other arithmetic, and may have other limits; now there is nothing to do.
        """
        if tokens.grid is None:
            return image
        processor, (rows, columns) = self.backbone.preparation.processor, tokens.grid
        side = int(processor.patch_size) * int(processor.merge_size)
        return image.resize((columns * side, rows * side), Image.Resampling(int(processor.resample)))

    def _in_rows(self, tokens: VisualTokens) -> Iterator[Words | Tensor]:
        """Write visual tokens as the family does: runs of rows, with words around them."""
        markup, start = self.backbone.chat.markup_of(tokens), 0
        for words, length in zip_longest(markup.words, markup.runs):
            yield Words(words)
            if length is not None:
                yield tokens.rows[start : start + length]
                start += length

    def _spell(self, words: Sequence[Words]) -> Iterator[dict[str, Any]]:
        """Write words as one text; those of users as rows, if they would be read as control tokens."""
        text = "".join(piece.text for piece in words)
        users = "\n".join(piece.text for piece in words if not piece.trusted)
        if RESERVED not in users and not self.backbone.chat.spells_control(words):
            yield from [{"type": "text", "text": text}] if text else []
            return
        for piece in words:
            if piece.trusted and piece.text:
                yield {"type": "text", "text": piece.text}
            elif piece.text:
                yield rows_part(self._embedded(piece.text))

    @torch.no_grad()
    def _embedded(self, text: str) -> Tensor:
        embed = self.backbone.model.get_input_embeddings()
        ids = torch.tensor(self.backbone.chat.plain_ids(text), device=self.backbone.device)
        rows: Tensor = embed(ids)
        return rows


def rows_part(rows: Tensor) -> dict[str, Any]:
    """Spell rows; whatever is not finite would only be found when the answer is written.

    Raises:
        InputError: If a row holds no number.
    """
    if not bool(rows.isfinite().all()):
        raise InputError("a memory holds rows that are no numbers; introduce the concept again")
    content = io.BytesIO()
    torch.save(rows.detach().cpu().contiguous().clone(), content)  # a slice would take its whole storage along
    return {"type": "prompt_embeds", "data": base64.b64encode(content.getvalue()).decode()}


def image_part(image: Image.Image) -> dict[str, Any]:
    """Spell pixels without loss."""
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=1)
    url = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": url}}
