"""Encoded images and prefilled beginnings of prompts of one model, kept for the next query.

Both are found by content: pixels of an image; words, names and rows of a prompt. A concept that was renamed, replaced
or given another view is therefore never mistaken for what it was, and two libraries with the same memory share it. A
list of concepts that grew at its end costs the new concepts only.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeAlias
from weakref import WeakKeyDictionary

import torch
from PIL import Image
from torch import Tensor

from ego.backbones.base import Backbone, Prefix
from ego.least_used import LeastUsed
from ego.memory import ConceptMemory
from ego.prompt import Part, Prompt, SoftTokens, Text
from ego.visual_tokens import VisualTokens

MEGABYTE = 1_000_000
PartKey: TypeAlias = tuple[int, str, str, str]  # number and role of the turn, kind of the part, content
Key: TypeAlias = tuple[PartKey, ...] | tuple[str]


class PrefixCache:
    """What one model has read lately; several threads, and several `Ego` on one model, may share it.

    Two threads that miss the same entry at the same moment both compute it; the answers are the same.

    Attributes:
        backbone: The model.
        kept: Entries and their bytes.
    """

    def __init__(self, backbone: Backbone, megabytes: int = 1024) -> None:
        """Keep up to so many megabytes, where the model is (on the GPU, if it is there)."""
        self.backbone = backbone
        self.kept: LeastUsed[Key, Prefix | VisualTokens] = LeastUsed(megabytes * MEGABYTE)
        self._contents: WeakKeyDictionary[VisualTokens, str] = WeakKeyDictionary()

    def encode(self, image: Image.Image) -> VisualTokens:
        """Encode an upright RGB image, or find it."""
        return self._found([image], [], lambda: self.backbone.encode_image(image))

    def encode_video(self, frames: Sequence[Image.Image], seconds: Sequence[float]) -> VisualTokens:
        """Encode upright RGB frames of a video, or find them."""
        return self._found(frames, seconds, lambda: self.backbone.encode_video(frames, seconds))

    def _found(
        self, shown: Sequence[Image.Image], seconds: Sequence[float], encode: Callable[[], VisualTokens]
    ) -> VisualTokens:
        if not self.kept.limit:
            return encode()
        sizes = repr(([image.size for image in shown], list(seconds)))
        key = _digest(sizes.encode(), *(image.tobytes() for image in shown))
        found = self.kept.get((key,))
        if isinstance(found, VisualTokens):
            return found
        tokens = encode()
        self._contents[tokens] = key
        self.kept.keep((key,), tokens, tokens.rows.nbytes + tokens.deepstack.nbytes)
        return tokens

    def prefill(self, prompt: Prompt, parts: int) -> Prefix:
        """Prefill the first `parts` parts of a prompt, on top of the longest beginning that is kept."""
        keys = self._keys(prompt)[:parts]
        for length in range(parts, 0, -1):
            found = self.kept.get(keys[:length])
            if isinstance(found, Prefix):
                break
        else:
            found = None
        if found is not None and found.parts == parts:
            return found
        prefix = self.backbone.prefill(prompt, parts, prefix=found)
        self.kept.keep(keys, prefix, prefix.size)
        return prefix

    def forget(self, memory: ConceptMemory) -> None:
        """Let go of every prompt that holds this memory."""
        content = self._content(SoftTokens(memory.tokens))
        self.kept.drop(lambda key: any(not isinstance(part, str) and part[3] == content for part in key))

    def clear(self) -> None:
        """Let go of everything."""
        self.kept.clear()

    def _keys(self, prompt: Prompt) -> tuple[PartKey, ...]:
        return tuple(
            (number, turn.role, type(part).__name__, self._content(part))
            for number, turn in enumerate(prompt.turns)
            for part in turn.parts
        )

    def _content(self, part: Part) -> str:
        if isinstance(part, Text):
            return part.text
        known = self._contents.get(part.tokens)
        if known is None:
            known = self._contents[part.tokens] = _content_of(part.tokens)
        return known


def _content_of(tokens: VisualTokens) -> str:
    """Digest what a model reads of visual tokens: features and places, and the words among them."""
    read = (tokens.rows, tokens.deepstack, tokens.grid_position, tokens.grid_time)
    features = [_raw(tensor) for tensor in read if tensor is not None]
    form = (tokens.rows.dtype, tuple(tokens.rows.shape), tokens.grid, tokens.markup, tokens.whole_of)
    return _digest(repr(form).encode(), *features)


def _raw(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def _digest(*contents: bytes) -> str:
    digest = hashlib.blake2b(digest_size=32)
    for content in contents:
        digest.update(content)
    return digest.hexdigest()
