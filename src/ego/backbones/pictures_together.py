"""Several pictures at once: encoded in one pass, and read as rows of one batch.

Only what is alike goes together: pictures that the processor brings to one shape, beginnings of prompts of the same
words in the same places. Models with sliding windows, recurrent layers or token types read one after the other. Whether
a model keeps rows apart is not believed but tried, at the first use.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import torch
from PIL import Image
from torch import Tensor

from ego.backbones.assembly import Tokens
from ego.backbones.image_encoding import ImageEncoder
from ego.backbones.picture_writing import WrittenPicture
from ego.backbones.prefix import PrefixState, rows_apart
from ego.backbones.runner import Runner
from ego.backbones.scoring import BATCH_TOKENS
from ego.backbones.tolerance import relative_difference, tolerance
from ego.errors import SelfCheckError
from ego.visual_tokens import VisualTokens

PICTURES = 8
"""Most pictures of one pass."""

_log = logging.getLogger(__name__)


class PicturesTogether:
    """Encodes and reads several pictures at once."""

    def __init__(self, runner: Runner, images: ImageEncoder) -> None:
        self._runner, self._images = runner, images
        self._apart = {"pictures": True, "prompts": runner.can.branches}  # until tried
        self._tried = set[str]()

    def encode(self, images: Sequence[Image.Image]) -> tuple[VisualTokens, ...]:
        """Encode several upright RGB images."""
        written = [self._images.write(image) for image in images]
        found: dict[int, VisualTokens] = {}
        for members in _alike([self._images.shape_of(one) for one in written], PICTURES):
            found |= dict(zip(members, self._encoded([written[member] for member in members]), strict=True))
        return tuple(found[number] for number in range(len(images)))

    @torch.no_grad()
    def read(self, beginnings: Sequence[Tokens]) -> tuple[PrefixState, ...]:
        """Run the model over beginnings of several prompts, one picture in each."""
        longest = max(map(len, beginnings), default=1)
        kinds = [(one.ids.numpy().tobytes(), one.places.numpy().tobytes()) for one in beginnings]
        found: dict[int, PrefixState] = {}
        for members in _alike(kinds, max(1, min(PICTURES, BATCH_TOKENS // longest))):
            found |= dict(zip(members, self._read([beginnings[member] for member in members]), strict=True))
        return tuple(found[number] for number in range(len(beginnings)))

    def _encoded(self, pictures: Sequence[WrittenPicture]) -> list[VisualTokens]:
        """Encode pictures of one shape, together if the model keeps them apart."""
        encode = self._images.of
        if len(pictures) > 1 and self._apart["pictures"]:
            try:
                tokens = encode(pictures)
            except (SelfCheckError, RuntimeError, ValueError, IndexError) as error:
                _log.warning("pictures are encoded one by one: %s", error)
                self._apart["pictures"] = False
            else:
                if self._keeps_apart("pictures", _flat(tokens), lambda: _flat(encode(pictures[:1]))):
                    return tokens
        return [one for picture in pictures for one in encode([picture])]

    def _read(self, rows: Sequence[Tokens]) -> list[PrefixState]:
        """Run beginnings that are alike, together if the model keeps them apart."""
        runner = self._runner
        if len(rows) > 1 and self._apart["prompts"]:
            output = runner.forward(runner.arguments(rows, None), None, keep=1)
            if self._keeps_apart("prompts", output.logits[0, -1], lambda: runner.run(rows[0], None)[0][-1]):
                caches = rows_apart(output.past_key_values, len(rows))
                return [PrefixState(tokens, own) for tokens, own in zip(rows, caches, strict=True)]
        return [runner.run(tokens, None)[1] for tokens in rows]

    def _keeps_apart(self, what: str, together: Tensor, alone: Callable[[], Tensor]) -> bool:
        """Compare the first of a batch with the same alone, the first time."""
        if what not in self._tried:
            self._tried.add(what)
            difference = relative_difference(together.float().cpu(), alone().float().cpu())
            if difference > tolerance(self._runner.like.dtype):
                _log.warning("the model does not keep %s of one batch apart (%.0f %%)", what, 100 * difference)
                self._apart[what] = False
        return self._apart[what]


def _flat(encoded: Sequence[VisualTokens]) -> Tensor:
    return encoded[0].rows.flatten()


def _alike(kinds: Sequence[object], most: int) -> Iterator[list[int]]:
    """Group numbers of equal kinds, so many at most."""
    groups: dict[object, list[int]] = {}
    for number, kind in enumerate(kinds):
        groups.setdefault(kind, []).append(number)
    return chain.from_iterable(
        (group[first : first + most] for first in range(0, len(group), most)) for group in groups.values()
    )
