"""Yo'LLaVA: 40 concepts, 327 train and 333 test images, visual and text-only multiple choice.

Folder: `train/<concept>/*.png`, `test/<concept>/*.png`, optionally `yollava-visual-qa.json` and
`yollava-text-only-qa.json` (the latter from the RAP repository).

Decisions: recognition asks every concept on every test image, an image's own concept once (333 positive, 12,987
negative). Nested folders such as `negative_example` are no references. The visual questions (170, not 171) are read in
both nestings, with `<sks>` or `sks`. In the text-only file 390 of 400 answers are A: read the swapped score.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ego.errors import DatasetError
from ego.evaluation.datasets.left_out import LeftOut
from ego.evaluation.datasets.samples import captions, every_image_against_every_concept, questions
from ego.evaluation.datasets.tree import first_existing, folders_in, images_in, read_json, relative, require
from ego.evaluation.manifest import ChoiceSample, Manifest, OpenSample, Subject

HOW_TO_GET = (
    "Download the Yo'LLaVA data (Hugging Face data set thaoshibe/YoLLaVA, or the repository WisconsinAIVision/YoLLaVA "
    "with git lfs) and give the folder that holds train/ and test/"
)
TEST_IMAGES = 333
GROUPS = {
    "person": "ciin denisdang khanhvy oong phuc-map thao thuytien viruss willinvietnam yuheng",
    "building": "chua-thien-mu nha-tho-hanoi nha-tho-hcm thap-but thap-cham",
    "cartoon character": "dug fire marie-cat toodles-galore water",
    "pet": "bo butin henry mam mydieu",
    "cup": "cat-cup neurips-cup pig-cup pusheen-cup",
    "keyboard": "tokyo-keyboard",
    "plush toy": (
        "brown-duck dragon duck-banana elephant lamb shiba-black shiba-gray shiba-sleep shiba-yellow yellow-duck"
    ),
}
GROUP_OF = {key: group for group, keys in GROUPS.items() for key in keys.split()}


def load(folder: Path) -> Manifest:
    """Read the data set.

    Raises:
        DatasetError: If it is missing or half downloaded.
    """
    root = first_existing(folder / "yollava-data") or folder
    require(root / "test", HOW_TO_GET)
    subjects = tuple(_subject(path, root) for path in folders_in(require(root / "train", HOW_TO_GET)))
    keys = [subject.key for subject in subjects]
    present_in = {relative(image, root): (key,) for key in keys for image in images_in(root / "test" / key)}
    left_out = LeftOut()
    samples = [
        *every_image_against_every_concept(present_in, keys),
        *captions(present_in),
        *_visual_questions(root, left_out),
        *_text_questions(root, left_out),
    ]
    return Manifest(
        dataset="yollava",
        root=str(root),
        subjects=subjects,
        samples=tuple(samples),
        notes=(*_notes(present_in), *left_out.notes),
    )


def _subject(folder: Path, root: Path) -> Subject:
    key, group = folder.name, GROUP_OF.get(folder.name, "")
    references = tuple(relative(image, root) for image in images_in(folder))
    return Subject(key=key, name=key, references=references, category=group, group=group)


def _visual_questions(root: Path, left_out: LeftOut) -> Iterator[ChoiceSample | OpenSample]:
    path = first_existing(root / "yollava-visual-qa.json", root.parent / "yollava-visual-qa.json")
    if path is None:
        return
    for image, entry in _flat(read_json(path)):
        _, test, below = image.partition("test/")
        if not test:
            raise DatasetError(f"{path} asks about {image!r}, which is not below test/; download the questions again")
        place = f"test/{below}"
        key = Path(place).parent.name
        yield from questions(entry, place, key, pictures=(place,), known=(key,), left_out=left_out)


def _flat(entries: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield image and question, whether or not they are nested below their concept."""
    for name, entry in entries.items():
        if "question" in entry:
            yield name, entry
        else:
            yield from entry.items()


def _text_questions(root: Path, left_out: LeftOut) -> Iterator[ChoiceSample | OpenSample]:
    path = first_existing(root / "yollava-text-only-qa.json", root.parent / "yollava-text-only-qa.json")
    if path is None:
        return
    for key, entries in read_json(path).items():
        for number, entry in entries.items():
            name = f"text/{key}/{number}"
            yield from questions(entry, name, key, pictures=(), known=(key,), left_out=left_out)


def _notes(present_in: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if len(present_in) == TEST_IMAGES:
        return ()
    return (f"{len(present_in)} test images, the full data set has {TEST_IMAGES}",)
