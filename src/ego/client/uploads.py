"""Images and concepts of the caller -> what a request carries."""

import base64
import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ego.errors import ImageError, InputError
from ego.limits import SENT_BYTES
from ego.regular_file import open_regular

if TYPE_CHECKING:  # a file is sent as it is: what makes pictures is not needed for that
    from ego.concept import Concept, ImageSource

Files = list[tuple[str, tuple[str, bytes]]]


def regions_of(concept: "Concept") -> tuple[dict[str, Any], Files]:
    """Spell the regions of a concept: fields and files of a form.

    Raises:
        InputError: If they are not of one kind, or not one for each image.
    """
    from PIL import Image  # noqa: PLC0415

    regions = [region for region in concept.regions if region is not None]
    boxes = [",".join(map(str, region.box)) for region in regions if region.box is not None]
    masks = [region.mask for region in regions if region.mask is not None]
    spaces = {region.space for region in regions if region.mask is not None}
    if len(regions) not in {0, len(concept.images)} or (boxes and masks) or len(spaces) > 1:
        raise InputError("a service takes a box for every image, or a mask for every image; or work without EGO_SERVER")
    form: dict[str, Any] = {"boxes": boxes} | ({"mask_space": space} if (space := next(iter(spaces), None)) else {})
    return form, uploads([Image.fromarray(mask.astype("uint8") * 255) for mask in masks], "masks")


def uploads(images: "Sequence[ImageSource]", field: str = "images") -> Files:
    """Put images into a form."""
    return [(field, (f"{number}", content_of(image))) for number, image in enumerate(images)]


def image_part(image: "ImageSource") -> dict[str, Any]:
    """Put an image or video into a message."""
    url = "data:application/octet-stream;base64," + base64.b64encode(content_of(image)).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def content_of(image: "ImageSource") -> bytes:
    """Give the bytes of an image or video file; a picture in memory as PNG."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, (str, os.PathLike)):
        with open_regular(image, largest=SENT_BYTES, refuse=ImageError) as file:
            return file.read()
    from PIL import Image  # noqa: PLC0415

    if isinstance(image, Image.Image):
        content = io.BytesIO()
        image.save(content, "PNG")
        return content.getvalue()
    return image.read()


def listed(names: Sequence[str]) -> list[str]:
    """Let a single name stand alone."""
    return [names] if isinstance(names, str) else list(names)
