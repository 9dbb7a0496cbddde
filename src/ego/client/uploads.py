"""Images and concepts of the caller -> what a request carries."""

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ego.concept import Concept, ImageSource
from ego.errors import InputError


def boxes_of(concept: Concept) -> list[str]:
    """Spell the boxes of a concept.

    Raises:
        InputError: If a region is no box.
    """
    regions = [region for region in concept.regions if region is not None]
    if any(region.box is None for region in regions) or len(regions) not in (0, len(concept.images)):
        raise InputError("a service takes a box for every image and no masks; give boxes, or work without EGO_SERVER")
    return [",".join(map(str, region.box or ())) for region in regions]


def uploads(images: Sequence[ImageSource], field: str = "images") -> list[tuple[str, tuple[str, bytes]]]:
    """Put images into a form."""
    return [(field, (f"{number}", content_of(image))) for number, image in enumerate(images)]


def image_part(image: ImageSource) -> dict[str, Any]:
    """Put an image or video into a message."""
    url = "data:application/octet-stream;base64," + base64.b64encode(content_of(image)).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def content_of(image: ImageSource) -> bytes:
    """Give the bytes of an image or video file; a picture in memory as PNG."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, Image.Image):
        content = io.BytesIO()
        image.save(content, "PNG")
        return content.getvalue()
    if isinstance(image, (str, os.PathLike)):
        try:
            return Path(image).read_bytes()
        except OSError as error:
            raise InputError(f"{image} cannot be read ({error.strerror}); check the path") from error
    return image.read()


def listed(names: Sequence[str]) -> list[str]:
    """Let a single name stand alone."""
    return [names] if isinstance(names, str) else list(names)
