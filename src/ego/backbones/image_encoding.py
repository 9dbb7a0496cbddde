"""Image -> visual tokens: prepared by the model's processor, run through tower and projector, laid over the image."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ego.backbones.capabilities import Capabilities
from ego.backbones.families import Family
from ego.backbones.geometry import SCHEMES, grid_positions, merged_grid
from ego.backbones.picture_writing import PictureWriter, WrittenPicture
from ego.backbones.runner import encode
from ego.errors import BackboneError, SelfCheckError
from ego.visual_tokens import VisualTokens


class ImageEncoder:
    """The image side of one model."""

    def __init__(
        self, model: Any, model_id: str, *, writer: PictureWriter, can: Capabilities, family: Family, like: Tensor
    ) -> None:
        """Prepare.

        Args:
            model: The model.
            model_id: Its name, for messages.
            writer: The image side of its processor.
            can: How it wants to be called.
            family: Its line of the table.
            like: A parameter of the model: its device and number format are used.
        """
        self._model, self._model_id, self._writer = model, model_id, writer
        self._can, self._family, self._like = can, family, like

    def __call__(self, image: Image.Image) -> VisualTokens:
        """Run vision tower and projector once on an upright RGB image."""
        return self.of([self.write(image)])[0]

    def write(self, image: Image.Image) -> WrittenPicture:
        """Prepare one upright RGB image."""
        return self._writer.write(image)

    def shape_of(self, written: WrittenPicture) -> Hashable:
        """Say what pictures must have in common to be run in one pass."""
        return tuple((name, _kind(value)) for name, value in sorted(written.inputs.items()))

    def of(self, pictures: Sequence[WrittenPicture]) -> list[VisualTokens]:
        """Run tower and projector once on pictures of one shape.

        Raises:
            SelfCheckError: If there are not as many tokens as placeholders.
        """
        inputs = {name: _stacked([one.inputs[name] for one in pictures]) for name in pictures[0].inputs}
        _, tokens = encode(self._model, inputs, self._can, self._like)
        lengths = [len(one.markup) for one in pictures]
        if len(tokens) != sum(lengths):
            raise SelfCheckError(
                f"{self._model_id}: the processor writes {sum(lengths)} placeholders for an image of "
                f"{len(tokens)} visual tokens; processor and model do not belong together"
            )
        parts = torch.split(torch.arange(len(tokens)), lengths)
        apart = (tokens.select(part) for part in parts) if len(pictures) > 1 else (tokens,)
        return [self._on_boxes(self.on_grid(own, one), one) for own, one in zip(apart, pictures, strict=True)]

    def on_grid(self, tokens: VisualTokens, written: WrittenPicture) -> VisualTokens:
        """Say how the tokens stand in a prompt, and at which rows and columns.

        Raises:
            SelfCheckError: If they are not as many as rows and columns make.
        """
        grid = merged_grid(self._model.config, written.inputs)
        if grid is not None and grid[0] * grid[1] != len(tokens):
            raise SelfCheckError(
                f"{self._model_id} makes {len(tokens)} visual tokens of {grid[0]} rows of {grid[1]}; models with marks "
                "among the tokens of such a grid are not supported"
            )
        places = None if grid is None else grid_positions(*grid)
        return replace(tokens, markup=written.markup, grid=grid, grid_position=places)

    def _on_boxes(self, tokens: VisualTokens, written: WrittenPicture) -> VisualTokens:
        """Say which box of the image each token looks at."""
        geometry = self._family.geometry
        if geometry is None:
            return tokens
        scheme = geometry if callable(geometry) else SCHEMES[geometry]
        layout = scheme(self._model.config, self._writer.processor, written.size, written.inputs, len(tokens))
        if layout is None:
            raise BackboneError(
                f"{self._model_id} made {len(tokens)} visual tokens of a {written.size[0]}x{written.size[1]} image, "
                f"which does not fit the geometry of {self._family.name}; register it as a family of its own, "
                "without geometry"
            )
        return replace(tokens, boxes=layout.boxes, view=layout.view, spatial=layout.spatial)


def _kind(value: Any) -> Hashable:
    """Pixels must have one shape; everything else (grids, sizes, masks) must be the same."""
    if not isinstance(value, Tensor):
        return repr(value)
    return tuple(value.shape) if value.is_floating_point() else (tuple(value.shape), value.cpu().numpy().tobytes())


def _stacked(values: Sequence[Any]) -> Any:
    return torch.cat(list(values)) if isinstance(values[0], Tensor) else values[0]
