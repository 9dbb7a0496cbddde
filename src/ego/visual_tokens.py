"""VisualTokens: visual tokens of one image or video (or the chosen few) in the embedding space of the language model.

The value that travels through the house: `Backbone.encode_image` makes it, `selection` picks from it, `ConceptMemory`
stores it, `prompt` puts it into the context.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Markup:
    """How a picture stands in a prompt of its family: runs of placeholders with words (tile and row marks) around them.

    Attributes:
        words: Before the first run, between runs, and behind the last: one more than there are runs.
        runs: Placeholders of each run.
        as_video: Whether the placeholders are those of videos, where a family has others for them.
    """

    words: tuple[str, ...]
    runs: tuple[int, ...]
    as_video: bool = False

    def __len__(self) -> int:
        """Count the placeholders."""
        return sum(self.runs)


@dataclass(frozen=True, eq=False)
class VisualTokens:
    """Visual tokens X_R, as the projector gives them (paper, section 3.1).

    Attributes:
        rows: Projector output in the language model's embedding space.
        deepstack: Features added to the first decoder layers (Qwen3-VL), one slice per level; no levels elsewhere.
        boxes: What each token looks at, as fractions x0 y0 x1 y1 of the image; None for a family of unknown geometry.
        view: Which covering of the image a token belongs to (0 = whole image, 1.. = tiles; any-res grids are 1).
        spatial: False for tokens without a place, such as newline tokens.
        grid_position: Row and column in the merged grid, for models with multimodal rotary positions; else None.
        grid: Rows and columns of that grid, or None.
        grid_time: Place of each token on the time axis of those positions, for the tokens of a video (all 0 where a
            family counts no such positions); else None.
        markup: How the tokens stand in a prompt, for a whole image of a model in this process; a choice of tokens has
            none and stands in one run between the family's delimiters.
        whole_of: Width and height of the image of which these are all tokens in order, for a memory that keeps all: it
            stands in a prompt as the image would. The marks among its runs come from the model's processor, never from
            a file.
    """

    rows: Float[Tensor, "visual dim"]
    deepstack: Float[Tensor, "level visual dim"]
    boxes: Float[Tensor, "visual 4"] | None
    view: Int[Tensor, " visual"]
    spatial: Bool[Tensor, " visual"]
    grid_position: Int[Tensor, "visual 2"] | None = None
    grid: tuple[int, int] | None = None
    grid_time: Int[Tensor, " visual"] | None = None
    markup: Markup | None = None
    whole_of: tuple[int, int] | None = None

    def __len__(self) -> int:
        """Count the tokens."""
        return self.rows.shape[0]

    @property
    def is_video(self) -> bool:
        """Tell the tokens of a video from those of an image."""
        return self.grid_time is not None

    @property
    def as_video(self) -> bool:
        """Say whether they replace placeholders of videos."""
        return self.markup is not None and self.markup.as_video

    @property
    def covering(self) -> Bool[Tensor, " visual"]:
        """Tokens that show every place of the image once: the tiles' where there are tiles, else the whole view's."""
        tiles = self.spatial & (self.view > 0)
        return tiles if bool(tiles.any()) else self.spatial

    def in_raster_order(self, positions: Int[Tensor, " kept"]) -> Int[Tensor, " kept"]:
        """Sort positions by the place they look at, rows before columns; tiles follow each other otherwise."""
        if self.boxes is None:
            return positions.sort().values
        left, top = self.boxes[positions].cpu()[:, 0].tolist(), self.boxes[positions].cpu()[:, 1].tolist()
        order = sorted(range(len(positions)), key=lambda index: (round(top[index], 6), left[index]))
        return positions[torch.tensor(order, dtype=torch.long)]

    def select(self, positions: Int[Tensor, " kept"]) -> "VisualTokens":
        """Keep the tokens at `positions`, in that order; copies, so the rest of the image can be freed.

        The bookkeeping stays on the CPU wherever the rows are, so positions are on the CPU, too.
        """
        return replace(
            self,
            rows=self.rows[positions],
            deepstack=self.deepstack[:, positions],
            boxes=None if self.boxes is None else self.boxes[positions],
            view=self.view[positions],
            spatial=self.spatial[positions],
            grid_position=None if self.grid_position is None else self.grid_position[positions],
            grid_time=None if self.grid_time is None else self.grid_time[positions],
            markup=None,
            whole_of=None,
        )

    def to(self, target: torch.device | torch.dtype) -> "VisualTokens":
        """Move the features (not the bookkeeping) to a device or a number format."""
        return replace(self, rows=self.rows.to(target), deepstack=self.deepstack.to(target))


def concatenate(views: Sequence[VisualTokens]) -> VisualTokens:
    """Join the kept tokens of several reference images, in order.

    The grid is dropped when there is more than one view: tokens of two images share no grid.
    """
    if len(views) == 1:
        return views[0]
    return VisualTokens(
        rows=torch.cat([view.rows for view in views]),
        deepstack=torch.cat([view.deepstack for view in views], dim=1),
        boxes=_joined([view.boxes for view in views]),
        view=torch.cat([view.view for view in views]),
        spatial=torch.cat([view.spatial for view in views]),
    )


def _joined(boxes: Sequence[Tensor | None]) -> Tensor | None:
    known = [box for box in boxes if box is not None]
    return torch.cat(known) if len(known) == len(boxes) else None
