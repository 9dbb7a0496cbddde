"""MyVLM: 29 objects, 349 images, captions. Snap licence: non-commercial, academic use only.

Folder: `<concept>/<concept>_<i>.jpg|jpeg`, `captions.json` beside the images. Persons were never released.

Decisions: no split ships, so the first REFERENCES images in natural order introduce a concept and all others test it;
`.jpeg` counts (others drop 9 images); the captioning prompt never names the concept (the original one does).
"""

from pathlib import Path

from ego.errors import DatasetError
from ego.evaluation.datasets.samples import captions, every_image_against_every_concept
from ego.evaluation.datasets.tree import first_existing, folders_in, images_in, relative, require
from ego.evaluation.manifest import Manifest, Sample, Subject

HOW_TO_GET = (
    "Download the MyVLM objects (linked from the repository snap-research/MyVLM) and give the folder that holds one "
    "folder per concept, or the one with data/ in it"
)
REFERENCES = 5
IMAGES = 349


def load(folder: Path) -> Manifest:
    """Read the data set.

    Raises:
        DatasetError: If it is missing, or a concept has too few images for a split.
    """
    root = first_existing(folder / "data") or require(folder, HOW_TO_GET)
    images_of = {path.name: [relative(image, root) for image in images_in(path)] for path in folders_in(root)}
    if not any(images_of.values()):
        raise DatasetError(f"no images in {root}. {HOW_TO_GET}")
    subjects = tuple(_subject(key, images) for key, images in images_of.items())
    present_in = {image: (key,) for key, images in images_of.items() for image in images[REFERENCES:]}
    samples: tuple[Sample, ...] = (
        *every_image_against_every_concept(present_in, list(images_of)),
        *captions(present_in),
    )
    return Manifest(dataset="myvlm", root=str(root), subjects=subjects, samples=samples, notes=_notes(images_of))


def _subject(key: str, images: list[str]) -> Subject:
    if len(images) <= REFERENCES:
        raise DatasetError(f"{key!r} has {len(images)} images, more than {REFERENCES} expected. {HOW_TO_GET}")
    name = key.replace("_", " ")
    return Subject(key=key, name=name, references=tuple(images[:REFERENCES]), category=name.split()[-1])


def _notes(images_of: dict[str, list[str]]) -> tuple[str, ...]:
    count = sum(map(len, images_of.values()))
    split = f"the first {REFERENCES} images of a concept in natural order are its references"
    return (split,) if count == IMAGES else (split, f"{count} images, the full data set has {IMAGES}")
