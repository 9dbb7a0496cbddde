"""Proof at load that prompts are the model's own: Ego's ids against those of the model's processor.

Conversations without an image, with one, with two, with images among words, of several turns, and with tall, wide and
large images are laid out by both. No forward pass is needed: ids, and rotary positions where a model has several axes,
follow from the sizes of the images. A model whose prompts differ is refused, with the first difference shown as text.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, TypeAlias

import torch
from PIL import Image
from torch import Tensor

from ego.backbones.capabilities import TYPE_ARGUMENTS
from ego.backbones.chat_template import IMAGE, VIDEO
from ego.backbones.empty_places import METADATA
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.picture_writing import WrittenPicture
from ego.errors import BackboneError, SelfCheckError
from ego.prompt import Picture, Prompt, Text, Turn
from ego.visual_tokens import VisualTokens

Writing: TypeAlias = Callable[[tuple[int, int]], WrittenPicture]
"""Writes an image of a size, each size once."""
SMALL, OTHER, TALL, WIDE, LARGE = (96, 64), (120, 200), (300, 1500), (1500, 300), (1600, 1200)
CONTEXT_SHOWN = 6


@dataclass(frozen=True)
class Film:
    """A video of grey frames.

    Attributes:
        size: Width and height.
        seconds: When each frame is shown.
    """

    size: tuple[int, int]
    seconds: tuple[float, ...]


Said: TypeAlias = str | tuple[int, int] | Film
"""Words, an image of this width and height, or a video."""


@dataclass(frozen=True)
class Conversation:
    """What is laid out by both.

    Attributes:
        name: For messages.
        turns: Who speaks, and what.
    """

    name: str
    turns: tuple[tuple[Literal["user", "assistant"], tuple[Said, ...]], ...]


CONVERSATIONS = (
    Conversation("words alone", (("user", ("Who is Bo?",)),)),
    Conversation("one image", (("user", (SMALL, "What is this?")),)),
    Conversation("two images", (("user", (SMALL, OTHER, "Which is larger?")),)),
    Conversation("a tall image", (("user", (TALL, "What is this?")),)),
    Conversation("a wide image", (("user", (WIDE, "What is this?")),)),
    Conversation("a large image", (("user", (LARGE, "What is this?")),)),
    Conversation(
        "a chat of three turns",
        (
            ("user", (SMALL, "Is Bo in this image? Answer with a single word, Yes or No.")),
            ("assistant", ("Yes",)),
            ("user", ("What is he doing?",)),
            ("assistant", ("He is asleep.",)),
            ("user", ("Where?",)),
        ),
    ),
)
AMONG_WORDS = Conversation(
    "images among words",
    (
        (
            "user",
            ("Remembered concepts.\n", SMALL, "This is Bo.\n", OTHER, "This is Mia.\nThe picture:\n", SMALL, "Who?"),
        ),
    ),
)
LONG, HALF_PAIRS = Film((400, 300), tuple(range(5, 85, 10))), Film(OTHER, (61.3, 61.8, 62.4))
VIDEOS = (
    Conversation("a video", (("user", (Film(SMALL, (0.0, 0.4, 1.0, 1.6)), "What happens?")),)),
    Conversation(
        "an image and two videos in a chat",
        (
            (
                "user",
                ("Remembered concepts.\n", SMALL, "This is Bo.\nThe video:\n", LONG, "What is Bo doing?"),
            ),
            ("assistant", ("He is asleep.",)),
            ("user", (HALF_PAIRS, "And here?")),
        ),
    ),
)


@dataclass(frozen=True)
class Parity:
    """How one conversation came out.

    Attributes:
        conversation: Its name.
        tokens: Length of Ego's prompt.
        difference: The first difference in words; empty if there is none.
    """

    conversation: str
    tokens: int
    difference: str = ""


def require_parity(backbone: HuggingFaceBackbone) -> None:
    """Refuse a model whose prompts are not its own processor's.

    Raises:
        SelfCheckError: If one differs; the message shows the first difference.
    """
    for found in compare_prompts(backbone):
        if found.difference:
            raise SelfCheckError(
                f"{backbone.card.model_id}: the prompt for {found.conversation} is not the one that the model's own "
                f"processor writes: {found.difference}. Answers to it could not be trusted; this kind of checkpoint is "
                "not supported. Please report it with the output of `ego check`"
            )


def compare_prompts(backbone: HuggingFaceBackbone) -> Iterator[Parity]:
    """Lay every conversation out both ways."""
    among = (AMONG_WORDS,) if backbone.chat.template.keeps_order else ()
    write = cache(lambda size: backbone.preparation.write(Image.new("RGB", size, "grey")))
    for conversation in (*CONVERSATIONS, *among):
        several = _several(conversation) if backbone.preparation.one_of_several else conversation
        yield _compared(backbone, several, write)


def compare_videos(backbone: HuggingFaceBackbone, by: Any = None) -> Iterator[Parity]:
    """Lay conversations with videos out both ways.

    Args:
        backbone: A model that reads videos.
        by: The processor to compare with; None for the one that prompts are written with.
    """
    write = cache(lambda size: backbone.preparation.write(Image.new("RGB", size, "grey")))
    for conversation in VIDEOS:
        yield _compared(backbone, _as_taken(backbone, conversation), write, by)


def _as_taken(backbone: HuggingFaceBackbone, conversation: Conversation) -> Conversation:
    """Leave out what a family's own processor cannot be asked.

    One that does not pair frames takes videos of equally many only; a template that puts videos first is asked with
    videos first.
    """
    assert backbone.videos is not None
    turns = []
    for role, said in conversation.turns:
        first = next((place for place, item in enumerate(said) if isinstance(item, Film)), 0)
        kept = said if backbone.chat.template.keeps_order else said[first:]
        if backbone.videos.writer.frames.temporal_patch_size == 1:
            kept = tuple(replace(item, seconds=LONG.seconds) if isinstance(item, Film) else item for item in kept)
        turns.append((role, kept))
    return replace(conversation, turns=tuple(turns))


def _several(conversation: Conversation) -> Conversation:
    """Show a lone image twice: a family that writes it as one of several is compared where there are several."""
    role, said = conversation.turns[0]
    images = [item for item in said if isinstance(item, tuple)]
    if len(images) != 1:
        return conversation
    doubled = tuple(copy for item in said for copy in ([item] * 2 if isinstance(item, tuple) else [item]))
    return Conversation(f"{conversation.name}, twice", ((role, doubled), *conversation.turns[1:]))


def _compared(backbone: HuggingFaceBackbone, conversation: Conversation, write: Writing, by: Any = None) -> Parity:
    shown = _Shown(backbone, write)
    turns = [Turn(role, tuple(shown.part(item) for item in said)) for role, said in conversation.turns]
    messages = [{"role": role, "content": [_item(item) for item in said]} for role, said in conversation.turns]
    try:
        native = dict(backbone.chat.native_inputs(messages, shown.images, by=by, return_tensors="pt", **shown.videos()))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as cause:
        raise BackboneError(
            f"{backbone.card.model_id}: the model's own processor does not take {conversation.name} ({cause})"
        ) from cause
    _require_no_further_marks(backbone, native)
    tokens = backbone.lay_out(Prompt(tuple(turns)))[1]
    theirs = native["input_ids"][0]
    difference = _difference_of_ids(backbone, tokens.ids.tolist(), theirs.tolist())
    if not difference and not _same_places(backbone, native, tokens.places):
        difference = "its rotary positions are not those of the model"
    return Parity(conversation.name, len(tokens), difference)


def _require_no_further_marks(backbone: HuggingFaceBackbone, native: Mapping[str, Any]) -> None:
    """Refuse a model that is told of every token what Ego does not tell it, such as which experts it goes to."""
    ids, taken = native["input_ids"], inspect.signature(backbone.model.forward).parameters
    further = [name for name, value in native.items() if name in taken and getattr(value, "shape", None) == ids.shape]
    unknown = sorted(set(further) - {"input_ids", "attention_mask", *TYPE_ARGUMENTS})
    if unknown:
        raise BackboneError(
            f"{backbone.card.model_id}: its processor marks every token of a prompt by {' and '.join(unknown)}, which "
            "Ego does not write for memories; this kind of model is not supported"
        )


class _Shown:
    """What a conversation shows, as both are given it: to Ego as visual tokens without content."""

    def __init__(self, backbone: HuggingFaceBackbone, write: Writing) -> None:
        self._backbone, self._write = backbone, write
        self.images: list[Image.Image] = []
        self._films: list[tuple[list[Image.Image], dict[str, Any]]] = []

    def part(self, said: Said) -> Text | Picture:
        if isinstance(said, str):
            return Text(said)
        if isinstance(said, Film):
            return self._film(said)
        written = self._write(said)
        self.images.append(Image.new("RGB", written.size, "grey"))
        return Picture(self._backbone.images.on_grid(self._hollow(written), written))

    def videos(self) -> dict[str, Any]:
        """Say it as a processor is told."""
        if not self._films:
            return {}
        told = [metadata for _, options in self._films for metadata in options[METADATA]]
        return {
            "videos": [frames for frames, _ in self._films],
            "videos_kwargs": {**self._films[0][1], METADATA: told},
        }

    def _film(self, film: Film) -> Picture:
        videos = self._backbone.videos
        assert videos is not None
        frames = [Image.new("RGB", film.size, "grey")] * len(film.seconds)
        self._films.append(videos.writer.native(frames, film.seconds))
        written = videos.writer.write(frames, film.seconds)
        return Picture(videos.on_grid(self._hollow(written), written))

    def _hollow(self, written: WrittenPicture) -> VisualTokens:
        count, dim = len(written.markup), self._backbone.card.dim
        return VisualTokens(
            rows=torch.empty(count, dim, device="meta"),
            deepstack=torch.empty(0, count, dim, device="meta"),
            boxes=None,
            view=torch.zeros(count, dtype=torch.long),
            spatial=torch.ones(count, dtype=torch.bool),
        )


def _item(said: Said) -> dict[str, str]:
    if isinstance(said, str):
        return {"type": "text", "text": said}
    return VIDEO if isinstance(said, Film) else IMAGE


def _difference_of_ids(backbone: HuggingFaceBackbone, ours: Sequence[int], theirs: Sequence[int]) -> str:
    if list(ours) == list(theirs):
        return ""
    alike = zip(ours, theirs, strict=False)
    first = next((place for place, (one, other) in enumerate(alike) if one != other), min(len(ours), len(theirs)))
    start = max(0, first - CONTEXT_SHOWN)
    before, mine, other = (
        backbone.chat.shown(ids)
        for ids in (ours[start:first], ours[first : first + CONTEXT_SHOWN], theirs[first : first + CONTEXT_SHOWN])
    )
    return (
        f"after {before!r} (token {first} of {len(ours)}) it has {mine!r} where the processor writes {other!r} "
        f"(of {len(theirs)})"
    )


def _same_places(backbone: HuggingFaceBackbone, native: dict[str, Any], ours: Tensor) -> bool:
    """Compare rotary positions with the model's own, where they have several axes."""
    own = getattr(backbone.model.base_model, "get_rope_index", None)
    if own is None:
        return True
    wanted = inspect.signature(own).parameters
    visual = (native["input_ids"] == backbone.model.config.image_token_id).long()
    inputs = {"mm_token_type_ids": visual, **native}
    places, _ = own(**{name: value for name, value in inputs.items() if name in wanted})
    return torch.equal(places[-3:, 0].cpu(), ours)
