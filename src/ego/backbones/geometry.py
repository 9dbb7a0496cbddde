"""Which box of the image each visual token looks at: nine schemes, one per family of tilings.

A scheme takes the model's config, the image processor, the image's size, the processor's output for that one image and
the number of tokens the projector made of it; it returns a Layout, or None if the count does not fit the scheme.
Measured by painting a spot and looking which token moved most.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

WHOLE_IMAGE = 0
Frame: TypeAlias = tuple[float, float, float, float]
WHOLE_FRAME: Frame = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the visual tokens of one image look.

    Attributes:
        boxes: Fractions x0 y0 x1 y1 of the image, one per token.
        view: 0 for a covering of the whole image, 1.. for its tiles.
        spatial: False for newline tokens and for tokens that see padding only.
    """

    boxes: Float[Tensor, "visual 4"]
    view: Int[Tensor, " visual"]
    spatial: Bool[Tensor, " visual"]


Scheme: TypeAlias = Callable[[Any, Any, tuple[int, int], Mapping[str, Any], int], Layout | None]


def grid_boxes(rows: int, cols: int, frame: Frame = WHOLE_FRAME) -> Float[Tensor, "visual 4"]:
    """Cut a frame of the image into rows x cols equal boxes, raster order."""
    x0, y0, x1, y1 = frame
    ys, xs = torch.linspace(y0, y1, rows + 1), torch.linspace(x0, x1, cols + 1)
    left, right = xs[:-1].repeat(rows), xs[1:].repeat(rows)
    top, bottom = ys[:-1].repeat_interleave(cols), ys[1:].repeat_interleave(cols)
    return torch.stack([left, top, right, bottom], dim=1).clamp(0.0, 1.0)


def grid_positions(rows: int, cols: int) -> Int[Tensor, "visual 2"]:
    """List (row, column) of a grid in raster order."""
    return torch.tensor(list(product(range(rows), range(cols))), dtype=torch.long).reshape(-1, 2)


def merged_grid(config: Any, inputs: Mapping[str, Any]) -> tuple[int, int] | None:
    """Read rows and columns of the token grid where the processor reports patches (Qwen); else None."""
    if "image_grid_thw" not in inputs:
        return None
    merge = config.vision_config.spatial_merge_size
    _, rows, cols = inputs["image_grid_thw"][0].tolist()
    return rows // merge, cols // merge


def whole_image(
    config: Any, processor: Any, size: tuple[int, int], inputs: Mapping[str, Any], count: int
) -> Layout | None:
    """One square grid over the stretched image (Gemma 3, SmolVLM, Idefics3)."""
    side = math.isqrt(count)
    return _single_view(side, side, count)


def single_grid(
    config: Any, processor: Any, size: tuple[int, int], inputs: Mapping[str, Any], count: int
) -> Layout | None:
    """One square grid over what the image processor keeps: all of the image, its middle, or it in a padded square."""
    if "image_sizes" in inputs:  # a LLaVA with Pixtral's tower
        return sized_patches(config, processor, size, inputs, count)
    return _framed_view(math.isqrt(count), _kept_frame(processor, size), count)


def merged_patches(
    config: Any, processor: Any, size: tuple[int, int], inputs: Mapping[str, Any], count: int
) -> Layout | None:
    """One grid that follows the aspect of the image (Qwen)."""
    grid = merged_grid(config, inputs)
    return None if grid is None else _single_view(*grid, count)


def sized_patches(
    config: Any, processor: Any, size: tuple[int, int], inputs: Mapping[str, Any], count: int
) -> Layout | None:
    """One grid over the image as it was resized, whose height and width the processor tells (Pixtral, Mistral 3)."""
    cell = config.vision_config.patch_size * getattr(config, "spatial_merge_size", 1)
    height, width = (int(side) for side in inputs["image_sizes"][0])
    return _single_view(height // cell, width // cell, count)


def shaped_patches(
    config: Any, processor: Any, size: tuple[int, int], inputs: Mapping[str, Any], count: int
) -> Layout | None:
    """One grid of patches, joined by a factor, whose shape the processor tells (LFM2-VL)."""
    rows, cols = (math.ceil(int(side) / config.downsample_factor) for side in inputs["spatial_shapes"][0])
    return _single_view(rows, cols, count)


def pooled_patches(
    config: Any, processor: Any, size: tuple[int, int], inputs: Mapping[str, Any], count: int
) -> Layout | None:
    """One grid of pooled patches that follows the aspect of the image (Gemma 4)."""
    places = inputs["image_position_ids"][0]
    last_col, last_row = places[(places >= 0).all(dim=-1)].amax(dim=0).tolist()
    pool = config.vision_config.pooling_kernel_size
    return _single_view((last_row + 1) // pool, (last_col + 1) // pool, count)


def tiles(config: Any, processor: Any, size: tuple[int, int], inputs: Mapping[str, Any], count: int) -> Layout | None:
    """Tiles in raster order, then a thumbnail of the whole image; one tile is the whole image (InternVL, Aya)."""
    tile_count = inputs["pixel_values"].shape[0]
    side = math.isqrt(count // tile_count)
    if tile_count == 1:
        return _single_view(side, side, count)
    # Imported here: only models with tiles bring this module along.
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas  # noqa: PLC0415

    width, height = size
    tile = processor.size["height"]
    cols, rows = get_optimal_tiled_canvas((height, width), (tile, tile), processor.min_patches, processor.max_patches)
    frames = [(c / cols, r / rows, (c + 1) / cols, (r + 1) / rows) for r, c in grid_positions(rows, cols).tolist()]
    views = [grid_boxes(side, side, frame) for frame in frames]
    numbers = [*range(1, len(views) + 1), WHOLE_IMAGE]
    return _views([*views, grid_boxes(side, side)], numbers, count)


def padded_view(
    config: Any, processor: Any, size: tuple[int, int], inputs: Mapping[str, Any], count: int
) -> Layout | None:
    """A square grid over an image that was padded to a square, and a newline at its end (LLaVA-OneVision)."""
    side, square = config.vision_config.image_size // config.vision_config.patch_size, max(size)
    grid = grid_boxes(side, side, _centred(square / size[0], square / size[1]))
    layout = _views([torch.cat([grid, torch.tensor([WHOLE_FRAME])])], [WHOLE_IMAGE], count)
    if layout is not None:
        layout.spatial[_empty(layout.boxes)] = False
        layout.spatial[-1] = False
    return layout


def any_res(config: Any, processor: Any, size: tuple[int, int], inputs: Mapping[str, Any], count: int) -> Layout | None:
    """A whole view, then a grid with a newline after every row (LLaVA-NeXT)."""
    side = config.vision_config.image_size // config.vision_config.patch_size
    rows, cols, frame = _any_res_grid(config, side, size)
    boxes = grid_boxes(rows, cols, frame).reshape(rows, cols, 4)
    row_ends = torch.stack([boxes[:, 0, 0], boxes[:, 0, 1], boxes[:, -1, 2], boxes[:, -1, 3]], dim=1)
    grid = torch.cat([boxes, row_ends[:, None]], dim=1).reshape(-1, 4)
    layout = _views([grid_boxes(side, side), grid], [WHOLE_IMAGE, 1], count)
    if layout is not None:
        layout.spatial[side * side + cols :: cols + 1] = False
    return layout


SCHEMES: Mapping[str, Scheme] = {
    "whole image": whole_image,
    "single grid": single_grid,
    "padded view": padded_view,
    "tiles": tiles,
    "merged patches": merged_patches,
    "any-res": any_res,
    "pooled patches": pooled_patches,
    "sized patches": sized_patches,
    "shaped patches": shaped_patches,
}


def _single_view(rows: int, cols: int, count: int) -> Layout | None:
    return _views([grid_boxes(rows, cols)], [WHOLE_IMAGE], count)


def _views(boxes: list[Tensor], numbers: list[int], count: int) -> Layout | None:
    view = torch.cat([torch.full((len(box),), number) for box, number in zip(boxes, numbers, strict=True)])
    if len(view) != count:
        return None
    return Layout(torch.cat(boxes), view, torch.ones(count, dtype=torch.bool))


def _kept_frame(processor: Any, size: tuple[int, int]) -> Frame:
    """Say which frame of the image the image processor hands on (LLaVA's and CLIP's settings)."""
    width, height = size
    if getattr(processor, "do_pad", None):
        return _centred(max(size) / width, max(size) / height)
    shortest = getattr(processor.size, "shortest_edge", None)
    if not (getattr(processor, "do_center_crop", None) and shortest):
        return WHOLE_FRAME
    scale = shortest / min(size)
    return _centred(processor.crop_size["width"] / (width * scale), processor.crop_size["height"] / (height * scale))


def _centred(across: float, down: float) -> Frame:
    return ((1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2)


def _framed_view(side: int, frame: Frame, count: int) -> Layout | None:
    """Lay a square grid over a frame; cells wholly outside the image see padding only."""
    layout = _views([grid_boxes(side, side, frame)], [WHOLE_IMAGE], count)
    if layout is not None:
        layout.spatial[_empty(layout.boxes)] = False
    return layout


def _empty(boxes: Float[Tensor, "visual 4"]) -> Bool[Tensor, " visual"]:
    return (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])


def _any_res_grid(config: Any, side: int, size: tuple[int, int]) -> tuple[int, int, Frame]:
    """Count rows and columns of the any-res grid and say which frame of the image they span.

    The model un-pads in whole tokens, so that the grid reaches a little over the image on two sides.
    """
    # Imported here: only LLaVA-NeXT models bring this module along.
    from transformers.models.llava_next.modeling_llava_next import get_anyres_image_grid_shape  # noqa: PLC0415

    width, height = size
    tall, wide = get_anyres_image_grid_shape(
        (height, width), config.image_grid_pinpoints, config.vision_config.image_size
    )
    rows, cols, over = tall * side, wide * side, (1.0, 1.0)
    if width / height > cols / rows:
        content = int(round(height * (cols / width), 7))
        rows -= (rows - content) // 2 * 2
        over = (1.0, rows / content)
    else:
        content = int(round(width * (rows / height), 7))
        cols -= (cols - content) // 2 * 2
        over = (cols / content, 1.0)
    return rows, cols, _centred(*over)
