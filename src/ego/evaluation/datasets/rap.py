"""RAP: recognition on Yo'LLaVA images, and captions of scenes with several concepts.

Folder: the repository, or one folder with its files. `database.json` (`concept_dict`: `<tag>` -> name, image, info,
category), and any of `recognition_test.json` and lists `{image: [concept, ...]}` in other JSON files, are looked for in
the folder itself, in `example_database/` and in `eval/`; so are images, which the repository names from its root.

Decisions: rows are scored by `correct_answer`, not by `type` (333 rows of type "negative" are positives), and an image
asks about a concept once. A concept's name counts as a whole word: RAP has concepts called H, J, K and T.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ego.errors import DatasetError
from ego.evaluation.datasets.samples import captions, every_image_against_every_concept
from ego.evaluation.datasets.tree import first_existing, natural_order, read_json, require
from ego.evaluation.manifest import Manifest, RecognitionSample, Sample, Subject

HOW_TO_GET = (
    "Download the repository Hoar012/RAP-MLLM and the images its evaluation files name (those of Yo'LLaVA belong into "
    "benchmark_data/yollava-data) and give the repository, or a folder that holds database.json and those files"
)
DATABASE = "database.json"
PLACES = (".", "example_database", "eval")  # of the lists
IMAGE_PLACES = (*PLACES, "..")  # above: where the folder given is the repository's example_database itself
RECOGNITION = "recognition_test.json"


def load(folder: Path) -> Manifest:
    """Read the data set.

    Raises:
        DatasetError: If the database is missing, or a list names a concept it does not have.
    """
    root = require(folder, HOW_TO_GET)
    database = _list(root, DATABASE)
    if database is None:
        raise DatasetError(f"no {DATABASE} in {root} or its example_database/. {HOW_TO_GET}")
    subjects = tuple(_subject(tag, entry, root) for tag, entry in read_json(database)["concept_dict"].items())
    keys = [subject.key for subject in subjects]
    present_in = _lists(root, keys)
    samples: tuple[Sample, ...] = (
        *_recognition_rows(root, keys),
        *every_image_against_every_concept(present_in, keys, known=keys, split="multi"),
        *captions(present_in, known=keys, split="multi"),
    )
    return Manifest(dataset="rap", root=str(root), subjects=subjects, samples=samples)


def bare(tag: str) -> str:
    """Strip the angle brackets of a tag."""
    return tag.strip("<>")


def _list(root: Path, name: str) -> Path | None:
    return first_existing(*(root / place / name for place in PLACES))


def _image(root: Path, name: str) -> str:
    """Spell an image relative to `root`, wherever it is; one that is nowhere keeps its name."""
    found = first_existing(*(root / place / name for place in IMAGE_PLACES))
    return Path(os.path.relpath(found, root)).as_posix() if found else name


def _subject(tag: str, entry: dict[str, Any], root: Path) -> Subject:
    category, info = entry.get("category", ""), str(entry.get("info", ""))
    references = (_image(root, entry["image"]),)
    return Subject(
        key=bare(tag), name=entry["name"], references=references, category=category, group=category, info=info
    )


def _recognition_rows(root: Path, keys: list[str]) -> Iterator[RecognitionSample]:
    path = _list(root, RECOGNITION)
    rows = read_json(path) if path else []
    place_of = {image: _image(root, image) for image in dict.fromkeys(row["image"] for row in rows)}
    asked = {(place_of[row["image"]], bare(row["concept"])): bool(row["correct_answer"]) for row in rows}
    for (image, key), present in asked.items():
        _require_known(key, keys, RECOGNITION)
        name = f"recognition/single/{image}/{key}"
        yield RecognitionSample(id=name, pictures=(image,), known=(key,), asked=key, present=present, split="single")


def _lists(root: Path, keys: list[str]) -> dict[str, tuple[str, ...]]:
    present_in: dict[str, tuple[str, ...]] = {}
    for path in (file for place in PLACES for file in sorted((root / place).glob("*.json"), key=natural_order)):
        content = read_json(path)
        if isinstance(content, dict) and content and all(isinstance(value, list) for value in content.values()):
            present_in |= {_image(root, image): tuple(map(bare, tags)) for image, tags in content.items()}
    for key in {key for present in present_in.values() for key in present}:
        _require_known(key, keys, "a list of images")
    return present_in


def _require_known(key: str, keys: list[str], where: str) -> None:
    if key not in keys:
        raise DatasetError(f"{where} names {key!r}, which {DATABASE} does not have. {HOW_TO_GET}")
