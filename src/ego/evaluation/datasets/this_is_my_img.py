"""This-is-My-Img (PeKit): 14 single concepts in four test splits, 21 concepts in 11 pairs, questions.

Folders: `Single-concept/{train/<concept>, test/<split>/<concept>, this-is-my-visual-qa-ambiguity.json}` and
`Multi-concept/{train/<concept>, test/<A>_and_<B>, VQA/*.json}`. Concept folders are called `<Name>-<category>`, without
apostrophes.

Decisions: in the three negative splits (hard, other, fake) the folder names the concept that must not be reported.
`*_double.png` shows two concepts. A pair counts as found only if both members are; a pair's image is negative for all
other pairs, and questions about pairs are asked with all 21 concepts in memory. A question with options and a
`gpt_answer` is asked both ways, by options and openly.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ego.errors import DatasetError
from ego.evaluation.datasets.left_out import LeftOut
from ego.evaluation.datasets.samples import captions, every_image_against_every_concept, questions
from ego.evaluation.datasets.tree import folders_in, images_in, read_json, relative, require
from ego.evaluation.manifest import ChoiceSample, Manifest, OpenSample, RecognitionSample, Subject

HOW_TO_GET = (
    "Download This-is-My-Img (linked from the PeKit repository) and give the folder that holds Single-concept/ and "
    "Multi-concept/"
)
NEGATIVE_SPLITS = ("Negative (Hard)", "Negative (Other)", "Fake")
OWNERS = ("Sherry", "Blippi", "Casey", "Gab", "Alex", "Reynard", "Zak", "Nikki")
PROPER_NAMES = {"lili": "Lili", "marlan": "Marlan", "kona": "Kona", "coffee": "Coffee"}
DOUBLES = (("Reynards keyboard", "Reynards work chair"), ("Nikkis car", "Nikkis camper bag"))


def load_single(folder: Path) -> Manifest:
    """Read the single-concept part.

    Raises:
        DatasetError: If it is missing.
    """
    root = require(folder / "Single-concept", HOW_TO_GET)
    subjects, left_out = _subjects(root), LeftOut()
    keys = [subject.key for subject in subjects]
    positives = {
        relative(image, root): _shown(key, image, keys)
        for key in keys
        for image in images_in(_concept_folder(root / "test" / "Positive", key))
    }
    samples = (
        *every_image_against_every_concept(positives, keys, split="Positive"),
        *(sample for split in NEGATIVE_SPLITS for sample in _negatives(root, split, keys)),
        *captions(positives),
        *_questions(root, sorted(root.glob("*.json")), keys, left_out, known=None),
    )
    return Manifest(
        dataset="this-is-my-img-single", root=str(root), subjects=subjects, samples=samples, notes=left_out.notes
    )


def load_multi(folder: Path) -> Manifest:
    """Read the multi-concept part.

    Raises:
        DatasetError: If it is missing, or a pair names an unknown concept.
    """
    root = require(folder / "Multi-concept", HOW_TO_GET)
    subjects, left_out = _subjects(root), LeftOut()
    keys = [subject.key for subject in subjects]
    pairs = {path: _members(path.name, keys) for path in folders_in(root / "test")}
    present_in = {relative(image, root): members for path, members in pairs.items() for image in images_in(path)}
    samples = (
        *every_image_against_every_concept(present_in, keys, known=keys),
        *captions(present_in, known=keys),
        *_questions(root, sorted((root / "VQA").glob("*.json")), keys, left_out, known=tuple(keys)),
    )
    return Manifest(
        dataset="this-is-my-img-multi",
        root=str(root),
        subjects=subjects,
        samples=samples,
        sets=tuple(pairs.values()),
        notes=left_out.notes,
    )


def display_name(key: str) -> str:
    """Restore what the folder name lost: `Zaks dog kona` -> `Zak's dog Kona`."""
    first, *rest = key.split(" ")
    owner = first[:-1] if first.endswith("s") and first[:-1] in OWNERS and rest else None
    return " ".join([f"{owner}'s" if owner else first, *(PROPER_NAMES.get(word, word) for word in rest)])


def _subjects(root: Path) -> tuple[Subject, ...]:
    folders = folders_in(require(root / "train", HOW_TO_GET))
    return tuple(_subject(path, root) for path in folders)


def _subject(folder: Path, root: Path) -> Subject:
    key, _, category = folder.name.rpartition("-")
    references = tuple(relative(image, root) for image in images_in(folder))
    if not references:
        raise DatasetError(f"{folder} has no image. {HOW_TO_GET}")
    return Subject(key=key, name=display_name(key), references=references, category=category, group=category)


def _concept_folder(parent: Path, key: str) -> Path:
    """Find `<key>` or `<key>-<category>`."""
    return next((path for path in folders_in(parent) if path.name.rpartition("-")[0] == key), parent / key)


def _shown(key: str, image: Path, keys: list[str]) -> tuple[str, ...]:
    if not image.stem.endswith("_double"):
        return (key,)
    both = next((pair for pair in DOUBLES if key in pair), (key,))
    return tuple(shown for shown in both if shown in keys)


def _negatives(root: Path, split: str, keys: list[str]) -> Iterator[RecognitionSample]:
    for key in keys:
        folder = _concept_folder(root / "test" / split, key)
        absent: dict[str, tuple[str, ...]] = {relative(image, root): () for image in images_in(folder)}
        yield from every_image_against_every_concept(absent, [key], split=split)


def _members(label: str, keys: list[str]) -> tuple[str, ...]:
    """Read `A`, `A-category`, `A_and_B` or `A_B` as concepts."""
    parts = [part if part in keys else part.rpartition("-")[0] for part in re.split("_and_|_", label)]
    if unknown := [part for part in parts if part not in keys]:
        raise DatasetError(f"{label!r} names {unknown}, which train/ does not have. {HOW_TO_GET}")
    return tuple(parts)


def _questions(
    root: Path, files: list[Path], keys: list[str], left_out: LeftOut, *, known: tuple[str, ...] | None
) -> Iterator[ChoiceSample | OpenSample]:
    for path in files:
        for label, entries in read_json(path).items():
            asked = _members(label, keys)
            for image, entry in entries.items():
                place = Path(os.path.relpath(path.parent / image, root)).as_posix()
                name = f"{path.stem}/{label}/{image}"
                everyone = known or asked
                yield from questions(entry, name, *asked, pictures=(place,), known=everyone, left_out=left_out)
