"""A concept -> its reference images, read and upright, each with what the user said about it; each picture once."""

import logging
from collections.abc import Iterable, Iterator

from ego.concept import Concept, ImageSource, Region
from ego.errors import InputError
from ego.footage import reference_images
from ego.introduction import Reference
from ego.media import LoadedImage
from ego.media.source import label_of

log = logging.getLogger(__name__)


def read_references(concept: Concept, frames: int, known: Iterable[str] = ()) -> list[Reference]:
    """Read the photos of a concept; of a video, some frames, each a view of its own.

    Args:
        concept: What the user handed over.
        frames: Taken from a video.
        known: Digests of pictures that the concept is remembered from already; they count as given twice.

    Raises:
        ImageError: If a photo cannot be used.
        VideoError: If a video cannot be used.
        InputError: If a region is given for a video, or every picture is known already.
    """
    seen = set(known)
    references = list(_unlike(concept, frames, seen))
    if not references:
        raise InputError(f"{concept.name!r} is remembered from these pictures already; give others")
    return references


def _unlike(concept: Concept, frames: int, seen: set[str]) -> Iterator[Reference]:
    """Read every picture once, told by its pixels; with another region it is another reference."""
    for source, reference in _all(concept, frames):
        if reference.digest in seen and reference.region is None:
            log.warning("%s is a picture that %s is remembered from already; it counts once", source, concept.name)
            continue
        seen.add(reference.digest)
        yield reference


def _all(concept: Concept, frames: int) -> Iterator[tuple[str, Reference]]:
    regions = concept.regions or [None] * len(concept.images)
    for source, region in zip(concept.images, regions, strict=True):
        for image in _views(source, region, frames):
            yield (
                label_of(source),
                Reference(
                    image.picture,
                    image.digest,
                    keywords=concept.keywords,
                    region=region,
                    displayed_size=image.full_size,
                    orientation=image.orientation,
                ),
            )


def _views(source: ImageSource, region: Region | None, frames: int) -> tuple[LoadedImage, ...]:
    images = reference_images(source, frames)
    if region is not None and len(images) > 1:
        raise InputError(
            f"{label_of(source)} is a video, and a region is of one picture; give a frame of it as a photo"
        )
    return images
