"""Backbone: the contract between the method and a vision-language model, and its values.

The method knows this file and no model family. `backbones/huggingface.py` implements it for Hugging Face models.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from ego.memory import Fingerprint
from ego.prompt import Prompt
from ego.visual_tokens import VisualTokens


@dataclass(frozen=True)
class ModelCard:
    """What the method may ask about a model.

    Attributes:
        model_id: Hub name or folder.
        family: Key of the table of families, or "unknown".
        attention_layers: Decoder layers with an attention map, counted from 0 (hybrids have gaps).
        layer_count: All decoder layers.
        dim: Width of the language model.
        context_length: Longest prompt, tokens.
        has_geometry: Whether visual tokens carry boxes (heat-map, spatial order and calibration need them).
        has_deepstack: Whether visual tokens carry DeepStack levels.
        has_video: Whether a video is read as the family was trained; else its frames are images.
        decoder: Digest of the language model's weights: layers and answers depend on it, memories do not.
        concepts_per_prompt: Most concepts that the model tells apart in one prompt; longer lists are asked in blocks.
            None: no limit is known. A checkpoint says it in its `config.json` ("ego_concepts_per_prompt").
        concepts_per_caption: Most concepts that one sentence of a caption is about. The model then tells only of those
            that it recognizes, so many in a sentence. None: all in one sentence. "ego_concepts_per_caption".
        answers_of_named: Whether the model answers a question that names concepts better with only these in memory.
            "ego_answers_of_named".
    """

    model_id: str
    family: str
    attention_layers: tuple[int, ...]
    layer_count: int
    dim: int
    context_length: int
    has_geometry: bool
    has_deepstack: bool
    has_video: bool
    decoder: str
    concepts_per_prompt: int | None = None
    concepts_per_caption: int | None = None
    answers_of_named: bool = False


@dataclass(frozen=True, eq=False)
class Prefix:
    """The prefilled beginning of a prompt; shared by any number of queries, never changed by them.

    Attributes:
        parts: How many parts of the prompt it covers.
        length: Tokens it covers.
        size: Bytes of keys, values and states that it holds.
        state: The backbone's own (cache, ids, positions); opaque to the method.
    """

    parts: int
    length: int
    size: int
    state: Any


@dataclass(frozen=True)
class Record:
    """Attention rows to keep while generating: from each generated token to the visual tokens of one part.

    Attributes:
        layers: Decoder layers.
        part: Index of the Picture or SoftTokens among `prompt.parts`.
    """

    layers: tuple[int, ...]
    part: int


@dataclass(frozen=True, eq=False)
class Request:
    """A prompt that is to be answered beside others; its fields are those of `Backbone.generate`."""

    prompt: Prompt
    max_new_tokens: int
    prefix: Prefix | None = None
    on_text: Callable[[str], None] | None = None
    record: Record | None = None


@dataclass(frozen=True, eq=False)
class Generation:
    """What a model said.

    Attributes:
        text: Decoded answer, special tokens removed, outer blanks off.
        token_ids: Generated tokens, without the end-of-turn token.
        spans: For each of these tokens, its character span in `text` (empty span where it shows nothing).
        first_logits: Scores of the first answer token over the vocabulary, float32.
        attention: Rows of the recorded layers after softmax over all keys, float32; None when not recorded
            or when nothing was said.
            A row belongs to the forward pass that consumed the token.
        prompt_tokens: Length of the prompt.
        seconds: Wall-clock time, prefill of the remainder included.
    """

    text: str
    token_ids: Int[Tensor, " token"]
    spans: tuple[tuple[int, int], ...]
    first_logits: Float[Tensor, " vocab"]
    attention: Float[Tensor, "layer head token visual"] | None
    prompt_tokens: int
    seconds: float


@runtime_checkable
class Backbone(Protocol):
    """A vision-language model that can be personalized."""

    @property
    def card(self) -> ModelCard:
        """Facts about the model."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """What memories of this model are valid for."""
        ...

    def encode_image(self, image: Image.Image) -> VisualTokens:
        """Run vision tower and projector once on an upright RGB image."""
        ...

    def encode_video(self, frames: Sequence[Image.Image], seconds: Sequence[float]) -> VisualTokens:
        """Run vision tower and projector once on upright RGB frames of one video, where the model reads videos.

        Args:
            frames: In order, all of one size, at least two.
            seconds: When each is shown.

        Raises:
            BackboneError: If the model does not read videos (`card.has_video`), or not so many frames.
        """
        ...

    def prefill(self, prompt: Prompt, parts: int, *, prefix: Prefix | None = None) -> Prefix:
        """Run the model over the first `parts` parts of `prompt`, on top of `prefix` if one is given.

        Raises:
            BackboneError: If `prefix` is not the beginning of `prompt`.
        """
        ...

    def generate(
        self,
        prompt: Prompt,
        *,
        max_new_tokens: int,
        prefix: Prefix | None = None,
        record: Record | None = None,
        on_text: Callable[[str], None] | None = None,
        forced_text: str | None = None,
    ) -> Generation:
        """Answer greedily.

        Args:
            prompt: The conversation.
            max_new_tokens: Longest answer.
            prefix: A prefilled beginning of the same prompt; only the rest is run.
            record: Attention rows to keep.
            on_text: Called with each new piece of text as it appears (streaming).
            forced_text: Text to read instead of generating (keywords given by the user): its tokens are run in one pass
                and recorded as if the model had said them.

        Raises:
            ContextBudgetError: If prompt and answer do not fit into the model's context.
            BackboneError: If `prefix` is not the beginning of `prompt`.
        """
        ...

    def encode_together(self, images: Sequence[Image.Image]) -> tuple[VisualTokens, ...]:
        """Encode several upright RGB images, those of one shape in one pass; the same as one by one, up to rounding."""
        ...

    def prefill_together(self, prompts: Sequence[Prompt], parts: int) -> tuple[Prefix, ...]:
        """Run the model over the first `parts` parts of several prompts, those that are alike in one pass."""
        ...

    def generate_together(self, requests: Sequence[Request]) -> Iterator[tuple[int, Generation | Exception]]:
        """Answer several prompts greedily, a word of each in one pass where the model allows it.

        Yields:
            As each ends, the number of the request and its answer, or what ended it: an error of Ego that `generate`
            would raise, or whatever its `on_text` raised. Neither touches the other answers.
        """
        ...

    def attend(
        self, prompt: Prompt, words: str, *, record: Record, prefix: Prefix | None = None
    ) -> Float[Tensor, "layer head token visual"]:
        """Read where words of the last text look: one row for each token that spells them, after softmax, float32.

        Raises:
            BackboneError: If the last part of the prompt does not hold the words, or the prefix covers it.
        """
        ...

    def next_token_logits(
        self, prompts: Sequence[Prompt], *, prefix: Prefix | None = None
    ) -> Float[Tensor, "prompt vocab"]:
        """Score the first answer token of several prompts over a shared prefix (float32).

        They are run together, as far as memory allows; pictures that several of them show (the same object) are run
        once.
        """
        ...

    def word_ids(self, words: Sequence[str]) -> tuple[int, ...]:
        """First-token ids by which an answer may begin with one of `words` (with and without a leading blank)."""
        ...

    def count_tokens(self, prompt: Prompt) -> int:
        """Length of a prompt in tokens."""
        ...
