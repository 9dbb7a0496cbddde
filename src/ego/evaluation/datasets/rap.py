"""RAP: recognition on Yo'LLaVA images, and captions of scenes with several concepts.

Folder: `database.json` (`concept_dict`: `<tag>` -> name, image, info, category), and any of `recognition_test.json` and
lists `{image: [concept, ...]}` in other JSON files.

Decisions: rows are scored by `correct_answer`, not by `type` (333 rows of type "negative" are positives), and an image
asks about a concept once. A concept's name counts as a whole word: RAP has concepts called H, J, K and T.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ego.errors import DatasetError
from ego.evaluation.datasets.samples import captions, every_image_against_every_concept
from ego.evaluation.datasets.tree import natural_order, read_json, require
from ego.evaluation.manifest import Manifest, RecognitionSample, Sample, Subject

HOW_TO_GET = (
    "Download the database and the evaluation files of the repository Hoar012/RAP-MLLM (and the images they name) and "
    "give the folder that holds database.json"
)
RECOGNITION = "recognition_test.json"


def load(folder: Path) -> Manifest:
    """Read the data set.

    Raises:
        DatasetError: If the database is missing, or a list names a concept it does not have.
    """
    root = require(folder, HOW_TO_GET)
    if not (root / "database.json").is_file():
        raise DatasetError(f"no database.json in {root}. {HOW_TO_GET}")
    entries = read_json(root / "database.json")["concept_dict"]
    subjects = tuple(_subject(tag, entry) for tag, entry in entries.items())
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


def _subject(tag: str, entry: dict[str, Any]) -> Subject:
    category, key = entry.get("category", ""), bare(tag)
    info = str(entry.get("info", ""))
    return Subject(
        key=key, name=entry["name"], references=(entry["image"],), category=category, group=category, info=info
    )


def _recognition_rows(root: Path, keys: list[str]) -> Iterator[RecognitionSample]:
    if not (root / RECOGNITION).is_file():
        return
    rows = {(row["image"], bare(row["concept"])): bool(row["correct_answer"]) for row in read_json(root / RECOGNITION)}
    for (image, key), present in rows.items():
        _require_known(key, keys, RECOGNITION)
        name = f"recognition/single/{image}/{key}"
        yield RecognitionSample(id=name, pictures=(image,), known=(key,), asked=key, present=present, split="single")


def _lists(root: Path, keys: list[str]) -> dict[str, tuple[str, ...]]:
    present_in: dict[str, tuple[str, ...]] = {}
    for path in sorted(root.glob("*.json"), key=natural_order):
        content = read_json(path)
        if isinstance(content, dict) and content and all(isinstance(value, list) for value in content.values()):
            present_in |= {image: tuple(bare(tag) for tag in tags) for image, tags in content.items()}
    for key in {key for present in present_in.values() for key in present}:
        _require_known(key, keys, "a list of images")
    return present_in


def _require_known(key: str, keys: list[str], where: str) -> None:
    if key not in keys:
        raise DatasetError(f"{where} names {key!r}, which database.json does not have. {HOW_TO_GET}")
