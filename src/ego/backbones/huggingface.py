"""One Backbone for every Hugging Face image-text model that takes visual tokens from outside.

What differs between families is found out by looking (`capabilities.py`) or stands in the table (`families.py`).
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ego.backbones.answering import Answering
from ego.backbones.answers_together import Speaker, speak_together
from ego.backbones.assembly import FeatureForm, MemoryPositions, Tokens, lay_out
from ego.backbones.attention_probe import ProbeSwitch, Recorder
from ego.backbones.base import Generation, Prefix, Record, Request
from ego.backbones.capabilities import inspect_model
from ego.backbones.chat_format import PROBE_IMAGE, ChatFormat
from ego.backbones.chat_template import ChatTemplate
from ego.backbones.chat_tokens import ChatTokens
from ego.backbones.decoding import Transcript
from ego.backbones.families import Family
from ego.backbones.fingerprint import fingerprint_of
from ego.backbones.image_encoding import ImageEncoder
from ego.backbones.image_preparation import image_settings
from ego.backbones.model_card import card_of
from ego.backbones.picture_writing import PictureWriter
from ego.backbones.pictures_together import PicturesTogether
from ego.backbones.prefix import held_bytes, past_of
from ego.backbones.recording import recorder_of
from ego.backbones.runner import Runner, anchor, encode
from ego.backbones.scoring import Scorer
from ego.backbones.spelling import last_spelling
from ego.backbones.thinking import Thought
from ego.backbones.tokenization import token_of
from ego.backbones.video_encoding import video_encoder
from ego.backbones.video_writing import video_writer
from ego.errors import BackboneError, ContextBudgetError, EgoError
from ego.prompt import Prompt
from ego.visual_tokens import VisualTokens

_log = logging.getLogger(__name__)


class HuggingFaceBackbone:
    """A loaded model, ready to be personalized. Made by `load_backbone`.

    Attributes:
        model: The Hugging Face model; nothing stays on it between calls.
        preparation: Its image processor, set to the number of visual tokens.
        chat: Its chat format.
        images: Its image side.
        found: What transformers said when it was loaded.
        videos: Its video side; None where a video is shown as several images.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        model_id: str,
        family: Family,
        revision: str = "",
        max_visual_tokens: int | None = None,
        positions: MemoryPositions = "sequential",
        found: Mapping[str, Any] | None = None,
    ) -> None:
        """Wrap a model that is on its device, in evaluation mode.

        Args:
            model: A model of `AutoModelForImageTextToText`.
            processor: Its processor.
            model_id: Hub name or folder.
            family: Its line of the table, or `families.UNKNOWN`.
            revision: Commit of the checkpoint.
            max_visual_tokens: Most visual tokens per image; None for the family's default.
            positions: Rotary positions of memories on models with three axes.
            found: What transformers says of the loading, kept for `ego check`.
        """
        self.found: Mapping[str, Any] = found or {}
        self.model, self._tokenizer, self._family, self._positions = model, processor.tokenizer, family, positions
        self._can = inspect_model(model)
        template = ChatTemplate(processor)
        self.preparation = PictureWriter(
            processor,
            image_settings(family, processor.image_processor, model.config, max_visual_tokens),
            place=template.place,
            around=template.around,
            placeholder=token_of(processor.tokenizer, self._can.image_token, "images"),
            family=family,
        )
        self.fingerprint = fingerprint_of(  # before any pass: some quantized weights are packed anew by the first
            model, model_id=model_id, revision=revision, image_settings=self.preparation.settings()
        )
        self.chat = ChatFormat(processor, model.config, template, self.preparation)
        like = anchor(model)
        sample, _ = encode(model, self.preparation(Image.new("RGB", PROBE_IMAGE)), self._can, like)
        films = video_writer(processor, model.config, template, family, self.preparation.limit)
        self.videos = video_encoder(model, films, self._can, like)
        of_videos = None if self.videos is None else self.videos.form
        self._form = replace(FeatureForm.of(sample), of_videos=of_videos)
        self.runner = Runner(model, self._can, self._form)
        self.images = ImageEncoder(model, model_id, writer=self.preparation, can=self._can, family=family, like=like)
        self._scorer, self._together = Scorer(self.runner), PicturesTogether(self.runner, self.images)
        self._answering = Answering(self.runner, model, self._tokenizer)
        self._probe = ProbeSwitch(model)
        self.card = card_of(model, model_id, family, self._can, self._form, has_video=self.videos is not None)
        if family.geometry is None:
            _log.warning("%s: unknown family; no heat-map, no spatial order, no layer calibration", model_id)

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        return self.runner.like.device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the model."""
        return self.runner.like.dtype

    @property
    def end_tokens(self) -> frozenset[int]:
        """Tokens that end a turn."""
        return self._answering.ends

    @property
    def has_axes(self) -> bool:
        """Whether rotary positions have several axes, so that a picture lies on a grid."""
        return self._can.multimodal_positions

    def encode_image(self, image: Image.Image) -> VisualTokens:
        """Run vision tower and projector once on an upright RGB image."""
        return self.images(image)

    def encode_video(self, frames: Sequence[Image.Image], seconds: Sequence[float]) -> VisualTokens:
        """Run vision tower and projector once on frames of one video, as the family reads them."""
        if self.videos is None:
            raise BackboneError(f"{self.card.model_id} has no tokens of videos; show it the frames as images")
        return self.videos(frames, seconds)

    def without_videos(self) -> None:
        """Show videos as several images from now on."""
        self.videos, self.card = None, replace(self.card, has_video=False)

    @property
    def thought(self) -> Thought | None:
        """How the model thinks before every answer; None where answers begin at once."""
        return self._answering.thought

    def read_behind(self, thought: Thought) -> None:
        """Let the model think before every answer from now on; only what follows the thought is its answer."""
        self._answering.thought = thought
        self.chat.answer_behind(thought.closing)

    def prefill(self, prompt: Prompt, parts: int, *, prefix: Prefix | None = None) -> Prefix:
        """Run the model over the first `parts` parts of `prompt`, on top of `prefix` if one is given."""
        chat, tokens = self.lay_out(prompt)
        if not 0 < parts <= len(chat.part_ends):
            raise BackboneError(f"cannot prefill {parts} parts of a prompt of {len(chat.part_ends)}")
        past = past_of(prefix, tokens)
        start, stop = 0 if past is None else len(past.tokens), chat.part_ends[parts - 1]
        if past is not None and start == stop:
            return Prefix(parts, stop, held_bytes(past.cache), past)
        if start > stop:
            raise BackboneError(f"the prefix covers {start} tokens, the first {parts} parts of the prompt only {stop}")
        self._require_room(stop, 0)
        _, state = self.runner.run(tokens.between(start, stop), past)
        return Prefix(parts, stop, held_bytes(state.cache), state)

    def encode_together(self, images: Sequence[Image.Image]) -> tuple[VisualTokens, ...]:
        """Encode several upright RGB images, those of one shape in one pass."""
        return self._together.encode(images)

    def prefill_together(self, prompts: Sequence[Prompt], parts: int) -> tuple[Prefix, ...]:
        """Run the model over the first `parts` parts of several prompts, those that are alike in one pass."""
        laid = [self.lay_out(prompt) for prompt in prompts]
        beginnings = [tokens.between(0, chat.part_ends[parts - 1]) for chat, tokens in laid]
        self._require_room(max(map(len, beginnings), default=0), 0)
        states = self._together.read(beginnings)
        return tuple(Prefix(parts, len(state.tokens), held_bytes(state.cache), state) for state in states)

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
        """Answer greedily, or read `forced_text` as if it were the answer."""
        began = time.perf_counter()
        chat, tokens = self.lay_out(prompt)
        past = past_of(prefix, tokens)
        forced = None if forced_text is None else self.chat.plain_ids(forced_text)
        self._require_room(len(tokens), max_new_tokens if forced is None else len(forced))
        begin = self._answering.begin(tokens, past, room=max_new_tokens) if forced is None else None
        seen = begin.position if begin is not None else len(past.tokens) if past is not None else 0
        recorder = None if record is None else self._recorder(record, prompt, chat, seen)
        transcript = Transcript(self._tokenizer, on_text)
        with self._probe.recording(recorder):
            if begin is not None:
                self._answering.say(begin, max_new_tokens, transcript, all_rows=record is not None)
                first = begin.scores
            else:
                first = self._answering.read(tokens, past, forced or [], transcript)
        return transcript.generation(first, len(tokens), began, recorder)

    def generate_together(self, requests: Sequence[Request]) -> Iterator[tuple[int, Generation | Exception]]:
        """Answer several prompts greedily, a word of each in one pass where the model allows it."""
        begun = [self._begun(request) for request in requests]
        numbers = {one: number for number, one in enumerate(begun) if isinstance(one, Speaker)}
        yield from ((number, one) for number, one in enumerate(begun) if not isinstance(one, Speaker))
        for speaker in speak_together(self.runner, list(numbers), self.end_tokens, self._probe.recording):
            yield numbers[speaker], speaker.result()

    def attend(
        self, prompt: Prompt, words: str, *, record: Record, prefix: Prefix | None = None
    ) -> Float[Tensor, "layer head token visual"]:
        """Read where words of the last text look: one row for each token that spells them."""
        chat, tokens = self.lay_out(prompt)
        past = past_of(prefix, tokens)
        seen = 0 if past is None else len(past.tokens)
        start, stop, spelt = last_spelling(self._tokenizer, chat, words, seen)
        self._require_room(stop, 0)
        recorder = recorder_of(record, prompt, chat, self._can, self._probe.modules, first=start, seen=seen)
        with self._probe.recording(recorder):
            self.runner.run(tokens.between(seen, stop), past)
        return recorder.attention()[:, :, torch.tensor(spelt)]

    def next_token_logits(
        self, prompts: Sequence[Prompt], *, prefix: Prefix | None = None
    ) -> Float[Tensor, "prompt vocab"]:
        """Score the first answer token of several prompts over a shared prefix, in as few passes as fit (float32)."""
        if not prompts:
            raise BackboneError("next_token_logits needs at least one prompt")
        laid_out = [self.lay_out(prompt)[1] for prompt in prompts]
        for tokens in laid_out:
            self._require_room(len(tokens), 1)
        past = [past_of(prefix, tokens) for tokens in laid_out][-1]
        if self.thought is not None:  # every question has a thought of its own
            begun = [self._answering.begin(tokens, past, room=1) for tokens in laid_out]
            return torch.stack([begin.scores.float().cpu() for begin in begun])
        suffixes = [tokens if past is None else tokens.between(len(past.tokens)) for tokens in laid_out]
        return self._scorer.last_logits(suffixes, past)

    def answer_logits(self, tokens: Tokens, answer: Sequence[int]) -> Float[Tensor, "token vocab"]:
        """Score each token of a given answer, with gradients in the visual tokens of the prompt."""
        self._require_room(len(tokens), len(answer))
        return self.runner.answer_logits(tokens.then(answer), keep=len(answer) + 1)[:-1]

    def transcript(self, on_text: Callable[[str], None] | None = None) -> Transcript:
        """Begin to write down an answer that something else gives token by token."""
        return Transcript(self._tokenizer, on_text)

    def word_ids(self, words: Sequence[str]) -> tuple[int, ...]:
        """List the first-token ids by which an answer may begin with one of `words`."""
        spellings = [self.chat.plain_ids(blank + word) for word in words for blank in ("", " ")]
        first = {ids[0] for ids in spellings if ids and self._tokenizer.decode(ids[:1]).strip()}
        return tuple(sorted(first))

    def count_tokens(self, prompt: Prompt) -> int:
        """Count the tokens of a prompt."""
        return len(self.chat.tokenize(prompt).ids)

    def lay_out(self, prompt: Prompt) -> tuple[ChatTokens, Tokens]:
        """Lay a prompt out in tokens, with the rotary position of each."""
        chat = self.chat.tokenize(prompt)
        return chat, lay_out(chat, prompt.parts, self._can, self._positions)

    def _require_room(self, prompt_tokens: int, answer_tokens: int) -> None:
        if prompt_tokens + answer_tokens > self._can.context_length:
            raise ContextBudgetError(
                f"the prompt takes {prompt_tokens} tokens and the answer {answer_tokens}, but {self.card.model_id} "
                f"reads {self._can.context_length} at most; use fewer concepts, smaller memories or smaller images"
            )

    def _recorder(self, record: Record, prompt: Prompt, chat: ChatTokens, seen: int) -> Recorder:
        first = max(seen, len(chat.ids))  # an answer begins behind its prompt, and behind the thought if there is one
        return recorder_of(record, prompt, chat, self._can, self._probe.modules, first=first, seen=seen)

    def _begun(self, request: Request) -> Speaker | EgoError:
        try:
            chat, tokens = self.lay_out(request.prompt)
            self._require_room(len(tokens), request.max_new_tokens)
            past, record = past_of(request.prefix, tokens), request.record
            begin = self._answering.begin(tokens, past, room=request.max_new_tokens)
            recorder = None if record is None else self._recorder(record, request.prompt, chat, begin.position)
        except EgoError as error:
            return error
        return Speaker(begin, request.max_new_tokens, Transcript(self._tokenizer, request.on_text), recorder)
