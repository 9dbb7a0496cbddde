"""Image -> visual tokens: prepared by the model's processor, run through tower and projector, laid over the image."""

from dataclasses import replace
from typing import Any

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
        written = self._writer.write(image)
        _, tokens = encode(self._model, dict(written.inputs), self._can, self._like)
        if len(tokens) != len(written.markup):
            raise SelfCheckError(
                f"{self._model_id}: the processor writes {len(written.markup)} placeholders for an image of "
                f"{len(tokens)} visual tokens; processor and model do not belong together"
            )
        return self._on_boxes(self.on_grid(tokens, written), written)

    def on_grid(self, tokens: VisualTokens, written: WrittenPicture) -> VisualTokens:
        """Say how the tokens stand in a prompt, and at which rows and columns."""
        grid = merged_grid(self._model.config, written.inputs)
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
