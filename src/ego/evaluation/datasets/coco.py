"""COCO instances JSON -> images with one object and its mask, for layer calibration (polygons and RLE)."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from PIL import Image
from pycocotools.coco import COCO

from ego.errors import DatasetError
from ego.media import read_image

HOW_TO_GET = (
    "Download COCO 2017 (val2017.zip and annotations_trainval2017.zip are enough) and give the image folder and "
    "instances_val2017.json"
)
AREA = (0.02, 0.60)  # of the image; outside, a mask says little about attention


@dataclass(frozen=True, eq=False)
class MaskedImage:
    """An image file and the mask of its only object."""

    name: str
    path: Path
    category: str
    annotations: COCO
    annotation: dict[str, Any]

    @cached_property
    def picture(self) -> Image.Image:
        """The upright RGB image."""
        return read_image(self.path).picture

    @property
    def mask(self) -> Bool[np.ndarray, "height width"]:
        """True on the object.

        Raises:
            DatasetError: If image file and annotation disagree about the size.
        """
        mask = np.asarray(self.annotations.annToMask(self.annotation), dtype=bool)
        if mask.shape[::-1] != self.picture.size:
            raise DatasetError(f"{self.path} is {self.picture.size} pixels, its annotation {mask.shape[::-1]}")
        return mask


def single_object_images(
    images: Path, annotations: Path, *, limit: int | None = None, ignore_below: float = 0.0
) -> list[MaskedImage]:
    """List images with exactly one annotated instance, no crowd, that covers 2 to 60 % of the image.

    Args:
        images: Folder of the image files.
        annotations: COCO instances JSON.
        limit: Most images, in order of id.
        ignore_below: Annotations that cover less than this share of the image do not count as instances.

    Raises:
        DatasetError: If files are missing, or no image qualifies.
    """
    if not annotations.is_file():
        raise DatasetError(f"no annotations at {annotations}. {HOW_TO_GET}")
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        coco = COCO(str(annotations))
    found = [image for image in _qualifying(coco, images, ignore_below) if image.path.is_file()]
    if not found:
        raise DatasetError(f"no image in {images} has exactly one object in {annotations}. {HOW_TO_GET}")
    return found[:limit]


def _qualifying(coco: COCO, folder: Path, ignore_below: float) -> Iterator[MaskedImage]:
    for image_id in sorted(coco.getImgIds()):
        info = coco.loadImgs(image_id)[0]
        pixels = info["width"] * info["height"]
        entries = coco.loadAnns(coco.getAnnIds(imgIds=image_id))
        counted = [entry for entry in entries if entry["area"] >= ignore_below * pixels]
        if len(counted) == 1 and not counted[0]["iscrowd"] and AREA[0] <= counted[0]["area"] / pixels <= AREA[1]:
            category = coco.loadCats(counted[0]["category_id"])[0]["name"]
            name = info["file_name"]
            yield MaskedImage(Path(name).stem, folder / name, category, coco, counted[0])
