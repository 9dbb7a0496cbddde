"""COCO instances JSON -> images with one object and its mask, for layer calibration (polygons and RLE).

Read as annotation tools write it: ids as numbers or text, `iscrowd`, `area` and sizes present or not, RLE compressed or
as counts, alone or in a list. Masks are in the space of the stored pixels; where a photo is shown turned, its mask is
turned with it, unless the file gives the size of the photo as shown. An entry that cannot be used is left out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool
from PIL import Image
from pydantic import BaseModel, ValidationError

from ego.errors import DatasetError, ImageError
from ego.evaluation.datasets.coco_entries import CocoCategory, CocoImage, CocoObject
from ego.evaluation.datasets.coco_masks import UnusableMaskError, area_of, mask_of
from ego.evaluation.datasets.left_out import LeftOut, first_problem
from ego.media import LoadedImage, read_image
from ego.media.orientation import as_shown
from ego.photo_files import in_either_form, is_file
from ego.text_file import read_json

HOW_TO_GET = (
    "Download COCO 2017 (val2017.zip and annotations_trainval2017.zip are enough) and give the image folder and "
    "instances_val2017.json"
)
FIRST_QUARTER_TURN = 5  # orientations from here on swap width and height
AREA = (0.02, 0.60)  # of the image; outside, a mask says little about attention
Kind = TypeVar("Kind", bound=BaseModel)


@dataclass(frozen=True, eq=False)
class MaskedImage:
    """An image file and the mask of its only object."""

    name: str
    path: Path
    category: str
    size: tuple[int, int] | None
    segmentation: Any

    @cached_property
    def loaded(self) -> LoadedImage:
        """The image as it is shown."""
        return read_image(self.path)

    @property
    def picture(self) -> Image.Image:
        """The upright RGB image."""
        return self.loaded.picture

    @property
    def mask(self) -> Bool[np.ndarray, "height width"]:
        """True on the object, in the space of the image as it is shown.

        Raises:
            DatasetError: If image file and annotation disagree about the size, or the mask cannot be read.
        """
        shown, stored, orientation = self.loaded.displayed_size, _stored(self.loaded), self.loaded.orientation
        size = self.size or stored
        if size not in (stored, shown):
            raise DatasetError(f"{self.path} is {shown} pixels, its annotation {size}")
        try:
            mask = mask_of(self.segmentation, size)
        except UnusableMaskError as error:
            raise DatasetError(f"the mask of {self.path} cannot be read: {error}") from error
        return as_shown(mask, orientation) if size == stored else mask


@dataclass(frozen=True)
class MaskedImages:
    """Images that can be used, and notes on what was left out."""

    images: tuple[MaskedImage, ...]
    notes: tuple[str, ...]


def single_object_images(
    images: Path, annotations: Path, *, limit: int | None = None, ignore_below: float = 0.0
) -> MaskedImages:
    """List images with exactly one annotated instance, no crowd, that covers 2 to 60 % of the image.

    Args:
        images: Folder of the image files.
        annotations: COCO instances JSON.
        limit: Most images, in order of id.
        ignore_below: Annotations that cover less than this share of the image do not count as instances.

    Raises:
        DatasetError: If files are missing, or no image qualifies.
    """
    if not is_file(annotations):
        raise DatasetError(f"no annotations at {annotations}. {HOW_TO_GET}")
    content, left_out = read_json(annotations, DatasetError), LeftOut()
    if not isinstance(content, dict):
        raise DatasetError(f"{annotations} is a {type(content).__name__}, not {{images, annotations}}. {HOW_TO_GET}")
    found: list[MaskedImage] = []
    for image in _qualifying(content, images, ignore_below, left_out):
        if not is_file(image.path):
            left_out.add(f"images that are not in {images}", image.path.name)
        elif (limit is None or len(found) < limit) and _is_usable(image, left_out):
            found.append(image)
    if not found:
        seen = "".join(f" ({note})" for note in left_out.notes)
        raise DatasetError(f"no image in {images} has exactly one object in {annotations}{seen}. {HOW_TO_GET}")
    return MaskedImages(tuple(found), left_out.notes)


def _qualifying(
    content: Mapping[str, Any], folder: Path, ignore_below: float, left_out: LeftOut
) -> Iterator[MaskedImage]:
    names = {one.id: one.name for one in _entries(content, "categories", CocoCategory, left_out)}
    objects: dict[str, list[CocoObject]] = {}
    for entry in _entries(content, "annotations", CocoObject, left_out):
        objects.setdefault(entry.image_id, []).append(entry)
    infos = sorted(_entries(content, "images", CocoImage, left_out), key=lambda image: _number_first(image.id))
    listed = Counter(named for info in infos for named in (info.id, _place(folder, info.file_name)))
    for info in infos:
        place = _place(folder, info.file_name)
        if max(listed[info.id], listed[place]) > 1:  # whose objects are these, and are they all?
            left_out.add("images whose id or file is listed twice", info.file_name)
            continue
        size = info.size or _stored_size(place)
        shares = [(one, _share(one, info.file_name, size, left_out)) for one in objects.get(info.id, ())]
        counted = [(one, share) for one, share in shares if share >= ignore_below]
        if len(counted) == 1 and not counted[0][0].iscrowd and AREA[0] <= counted[0][1] <= AREA[1]:
            (only, _), category = counted[0], names.get(counted[0][0].category_id, "")
            yield MaskedImage(place.stem, place, category, info.size, only.segmentation)


def _entries(content: Mapping[str, Any], place: str, kind: type[Kind], left_out: LeftOut) -> Iterator[Kind]:
    entries = content.get(place)
    if not isinstance(entries, list):
        left_out.add(f"{place} is no list", "missing" if entries is None else type(entries).__name__)
        return
    for number, entry in enumerate(entries):
        try:
            yield kind.model_validate(entry)
        except ValidationError as error:
            left_out.add(f"{place} that cannot be used", f"{number} ({first_problem(error)})")


def _share(entry: CocoObject, name: str, size: tuple[int, int] | None, left_out: LeftOut) -> float:
    """The share of the image that an object covers; infinite where nobody can tell, so that it counts as an object."""
    if size is None:  # the image is missing, or cannot be read: reported as such
        return sum(AREA) / 2
    if entry.area is not None and entry.area > size[0] * size[1]:
        left_out.add("objects larger than their image", f"{entry.id} of {name}")
        return float("inf")
    if entry.area is not None:
        return entry.area / (size[0] * size[1])
    try:
        return area_of(entry.segmentation, size) / (size[0] * size[1])
    except UnusableMaskError as error:
        left_out.add("objects whose mask cannot be read", f"{entry.id} of {name} ({error})")
        return float("inf")


def _stored_size(path: Path) -> tuple[int, int] | None:
    """Read the size of an image file, as it is stored."""
    try:
        return _stored(read_image(path)) if is_file(path) else None
    except ImageError:
        return None


def _stored(image: LoadedImage) -> tuple[int, int]:
    width, height = image.displayed_size
    return (height, width) if image.orientation >= FIRST_QUARTER_TURN else (width, height)


def _is_usable(image: MaskedImage, left_out: LeftOut) -> bool:
    """Look whether picture and mask can be read and fit, before anything rests on them."""
    try:
        usable = bool(image.mask.any())
    except (ImageError, DatasetError) as error:
        left_out.add("images that cannot be used", str(error))
        return False
    finally:
        image.__dict__.pop("loaded", None)  # read again when its turn comes
    if not usable:
        left_out.add("objects whose mask is empty", image.path.name)
    return usable


def _place(folder: Path, name: str) -> Path:
    """Find a file by the path its entry gives, or by its name alone: tools write paths of other machines."""
    plain = name.replace("\\", "/")
    inside = in_either_form(folder / plain.lstrip("/"))
    return inside if is_file(inside) else in_either_form(folder / plain.rsplit("/", 1)[-1])


def _number_first(identifier: str) -> tuple[bool, int, str]:
    number = identifier.isdecimal() and len(identifier) < 20
    return not number, int(identifier) if number else 0, identifier
