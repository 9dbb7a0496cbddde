"""A concept -> its reference images, read and upright, each with what the user said about it."""

from ego.concept import Concept, ImageSource, Region
from ego.errors import InputError
from ego.footage import reference_images
from ego.introduction import Reference
from ego.media import LoadedImage
from ego.media.source import label_of


def read_references(concept: Concept, frames: int) -> list[Reference]:
    """Read the photos of a concept; of a video, some frames, each a view of its own.

    Raises:
        ImageError: If a photo cannot be used.
        VideoError: If a video cannot be used.
        InputError: If a region is given for a video.
    """
    regions = concept.regions or [None] * len(concept.images)
    return [
        Reference(
            image.picture,
            image.digest,
            keywords=concept.keywords,
            region=region,
            displayed_size=image.full_size,
            orientation=image.orientation,
        )
        for source, region in zip(concept.images, regions, strict=True)
        for image in _views(source, region, frames)
    ]


def _views(source: ImageSource, region: Region | None, frames: int) -> tuple[LoadedImage, ...]:
    images = reference_images(source, frames)
    if region is not None and len(images) > 1:
        raise InputError(
            f"{label_of(source)} is a video, and a region is of one picture; give a frame of it as a photo"
        )
    return images
