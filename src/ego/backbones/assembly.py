"""Tokens with their positions and features -> the arguments of one forward pass, over a cache or from the beginning.

Visual tokens enter through `mm_encoder_outputs` behind image placeholders, the one way that is exact on all
architectures (`inputs_embeds` silently loses DeepStack).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ego.backbones.capabilities import Capabilities
from ego.backbones.chat_tokens import ChatTokens
from ego.errors import BackboneError
from ego.prompt import Part, Picture
from ego.visual_tokens import VisualTokens

MemoryPositions: TypeAlias = Literal["sequential", "grid"]


@dataclass(frozen=True, eq=False)
class Tokens:
    """A stretch of a laid-out prompt.

    Attributes:
        ids: Token ids.
        places: Rotary position on each axis (time, row, column); all equal for words.
        visual: Which tokens are placeholders of visual tokens.
        features: The visual tokens behind them, in order.
    """

    ids: Int[Tensor, " token"]
    places: Int[Tensor, "3 token"]
    visual: Bool[Tensor, " token"]
    features: tuple[VisualTokens, ...]

    def __len__(self) -> int:
        """Count the tokens."""
        return len(self.ids)

    def between(self, start: int, stop: int | None = None) -> "Tokens":
        """Cut out tokens start..stop; edges lie between parts, so visual tokens stay whole."""
        before = int(self.visual[:start].sum())
        wanted = int(self.visual[start:stop].sum())
        kept, passed = [], 0
        for block in self.features:
            if before <= passed < before + wanted:
                kept.append(block)
            passed += len(block)
        cut = slice(start, stop)
        return Tokens(self.ids[cut], self.places[:, cut], self.visual[cut], tuple(kept))

    def then(self, ids: Sequence[int]) -> "Tokens":
        """Append words."""
        more = torch.tensor(list(ids), dtype=torch.long)
        return Tokens(
            torch.cat([self.ids, more]),
            torch.cat([self.places, (self.next_place + torch.arange(len(more))).expand(3, -1)], dim=1),
            torch.cat([self.visual, torch.zeros(len(more), dtype=torch.bool)]),
            self.features,
        )

    @property
    def next_place(self) -> int:
        """Position of the token that follows."""
        return int(self.places.max()) + 1 if len(self) else 0

    def starts_with(self, other: "Tokens") -> bool:
        """Say whether `other` is the beginning of these tokens, features compared by value."""
        size = len(other)
        ahead = self.between(0, size)
        alike = torch.equal(ahead.ids, other.ids) and torch.equal(ahead.places, other.places)
        if not alike or len(ahead.features) != len(other.features):
            return False
        return all(_same(mine, theirs) for mine, theirs in zip(ahead.features, other.features, strict=True))


def joined(stretches: Sequence[Tokens]) -> Tokens:
    """Put stretches one after another; each keeps its places."""
    return Tokens(
        torch.cat([tokens.ids for tokens in stretches]),
        torch.cat([tokens.places for tokens in stretches], dim=1),
        torch.cat([tokens.visual for tokens in stretches]),
        tuple(block for tokens in stretches for block in tokens.features),
    )


def lay_out(chat: ChatTokens, parts: Sequence[Part], can: Capabilities, memory_positions: MemoryPositions) -> Tokens:
    """Give every token of a prompt its rotary position.

    Models with one axis count tokens. On three axes a picture spans its grid, as in the model's training; a memory is
    counted like words ("sequential") or keeps the places of its reference image ("grid").

    Raises:
        BackboneError: If visual tokens are not as wide as the model, which means they belong to another one.
    """
    ids = torch.tensor(chat.ids, dtype=torch.long)
    visual = torch.zeros(len(ids), dtype=torch.bool)
    steps, place, done = [], 0, 0
    pictures = [isinstance(part, Picture) for part in parts if isinstance(getattr(part, "tokens", None), VisualTokens)]
    for placed, is_picture in zip(chat.visuals, pictures, strict=True):
        block = placed.tokens
        _require_width(block, can)
        grid = _on_grid(block) if can.multimodal_positions and (is_picture or memory_positions == "grid") else None
        shown = 0
        for start, length in placed.runs:
            words = _in_line(start - done)
            inside = _in_line(length) if grid is None else grid[:, shown : shown + length]
            steps += [words + place, inside + place + words.shape[1]]
            place += words.shape[1] + (max(block.grid) if grid is not None and block.grid else length)
            visual[start : start + length] = True
            done, shown = start + length, shown + length
    steps.append(_in_line(len(ids) - done) + place)
    return Tokens(ids, torch.cat(steps, dim=1), visual, tuple(placed.tokens for placed in chat.visuals))


FEATURES = ("last_hidden_state", "pooler_output", "hidden_states", "attentions", "deepstack_features")
"""What features are made of; whatever else a model hands over with them is the same for every image."""


@dataclass(frozen=True, eq=False)
class FeatureForm:
    """The form in which the installed version hands features over; memories are handed over in the same form.

    Attributes:
        output: Class of what `get_image_features` returns.
        as_list: Whether features come as a list with one tensor per image.
        levels: DeepStack levels.
        constant: What the model hands over with the features of every image, such as embeddings of marks (Ovis 2);
            that it is the same for all is shown by the self-check, which looks at another image.
        of_videos: The form of features of videos; None where it is the same.
    """

    output: type
    as_list: bool
    levels: int
    constant: Mapping[str, Tensor] = field(default_factory=dict)
    of_videos: "FeatureForm | None" = None

    @staticmethod
    def of(output: Any) -> "FeatureForm":
        """Look at what `get_image_features` returned."""
        levels = getattr(output, "deepstack_features", None) or ()
        further = {name: value for name, value in output.items() if name not in FEATURES and isinstance(value, Tensor)}
        return FeatureForm(type(output), not isinstance(output.pooler_output, Tensor), len(levels), further)

    def wrap(self, features: Sequence[VisualTokens], like: Tensor) -> Any:
        """Hand visual tokens over, on the device and in the number format of `like`."""
        rows = torch.cat([block.rows.to(like) for block in features])
        content: dict[str, Any] = {"pooler_output": [rows] if self.as_list else rows[None], **self.constant}
        if self.levels:
            deepstack = torch.cat([block.deepstack.to(like) for block in features], dim=1)
            content["deepstack_features"] = [[level] for level in deepstack]
        return self.output(**content)


def flat_rows(output: Any) -> Float[Tensor, "visual dim"]:
    """Flatten features of one image, whatever their container."""
    if isinstance(output, Tensor):
        return output.reshape(-1, output.shape[-1])
    return torch.cat([block.reshape(-1, block.shape[-1]) for block in output])


def forward_arguments(
    batch: Sequence[Tokens],
    *,
    can: Capabilities,
    form: FeatureForm | None,
    like: Tensor,
    past: Tokens | None = None,
) -> dict[str, Any]:
    """Build the arguments of a forward pass.

    Args:
        batch: Stretches that follow the same past; shorter ones are padded on the left.
        can: What the model is.
        form: Form of the features; None if no stretch holds visual tokens.
        like: A parameter of the model: its device and number format are used.
        past: What the cache holds already.
    """
    behind = 0 if past is None else len(past)
    width = max(len(tokens) for tokens in batch)
    ids, mask, visual = (
        torch.stack([_left_padded(row, width) for row in rows])
        for rows in (
            [tokens.ids for tokens in batch],
            [torch.ones_like(tokens.ids) for tokens in batch],
            [tokens.visual.long() for tokens in batch],
        )
    )
    seen = torch.ones(len(batch), behind, dtype=torch.long)
    arguments: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.cat([seen, mask], dim=1)}
    if can.position_argument:
        arguments["position_ids"] = _position_ids(batch, width, behind, can)
    if can.type_argument:  # read by absolute position, so they must cover the past too
        before = torch.zeros(0, dtype=torch.long) if past is None else past.visual.long()
        arguments[can.type_argument] = torch.cat([before.expand(len(batch), -1), visual], dim=1)
    arguments = {name: value.to(like.device) for name, value in arguments.items()}
    if form is not None:
        features = [block for tokens in batch for block in tokens.features]
        apart = {"image": [block for block in features if not block.as_video]}
        apart["video"] = [block for block in features if block.as_video]
        forms = {"image": form, "video": form.of_videos or form}
        wrapped = {kind: forms[kind].wrap(blocks, like) for kind, blocks in apart.items() if blocks}
        arguments |= {"mm_encoder_outputs": wrapped} if wrapped else {}
    return arguments


def _position_ids(batch: Sequence[Tokens], width: int, behind: int, can: Capabilities) -> Tensor:
    order = torch.stack([_left_padded(torch.arange(len(tokens)) + behind, width) for tokens in batch])
    if not can.multimodal_positions:
        return order
    places = torch.stack([_left_padded(tokens.places, width) for tokens in batch], dim=1)
    return torch.cat([order[None], places])


def _left_padded(values: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(values, (width - values.shape[-1], 0))


def _in_line(length: int) -> Int[Tensor, "3 token"]:
    return torch.arange(length).expand(3, -1)


def _on_grid(block: VisualTokens) -> Int[Tensor, "3 token"] | None:
    if block.grid is None or block.grid_position is None:
        return None
    places = block.grid_position.cpu().T
    time = torch.zeros_like(places[:1]) if block.grid_time is None else block.grid_time[None]
    return torch.cat([time, places])


def _same(mine: VisualTokens, theirs: VisualTokens) -> bool:
    pairs = ((mine.rows, theirs.rows), (mine.deepstack, theirs.deepstack))
    return all(a is b or (a.shape == b.shape and torch.equal(a, b.to(a))) for a, b in pairs)


def _require_width(block: VisualTokens, can: Capabilities) -> None:
    if block.rows.shape[1] != can.dim:
        raise BackboneError(
            f"visual tokens of width {block.rows.shape[1]} were given to a model of width {can.dim}; "
            "they belong to another model"
        )
