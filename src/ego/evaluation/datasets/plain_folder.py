"""A folder of the user's own photos: `<concept>/refs/*` introduces, `<concept>/tests/*` asks; any depth.

Optional at the top: `concepts.json` (`concepts`: id, class, group, description; `natural_multi_concept_images`: image,
concepts) and `questions.json` (`{concept: {image: {question, options?, correct_answer}}}`).
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ego.errors import DatasetError
from ego.evaluation.datasets.samples import captions, every_image_against_every_concept, questions
from ego.evaluation.datasets.tree import images_in, read_json, relative, require
from ego.evaluation.manifest import ChoiceSample, Manifest, OpenSample, Subject

HOW_TO_GET = "Make one folder per concept, with refs/ (photos that introduce it) and tests/ (photos to ask about)"


def load(folder: Path) -> Manifest:
    """Read the folder.

    Raises:
        DatasetError: If no concept has references.
    """
    root = require(folder, HOW_TO_GET)
    keys = [relative(path.parent, root) for path in sorted(root.rglob("refs")) if path.is_dir()]
    if not keys:
        raise DatasetError(f"no <concept>/refs below {root}. {HOW_TO_GET}")
    facts = _facts(root)
    subjects = tuple(_subject(key, root, facts.get(key, {}), keys) for key in keys)
    present_in = _present_in(root, keys)
    samples = [*every_image_against_every_concept(present_in, keys), *captions(present_in), *_questions(root)]
    return Manifest(dataset=root.name, root=str(root), subjects=subjects, samples=tuple(samples))


def _facts(root: Path) -> dict[str, dict[str, Any]]:
    path = root / "concepts.json"
    return {entry["id"]: entry for entry in read_json(path)["concepts"]} if path.is_file() else {}


def _subject(key: str, root: Path, facts: dict[str, Any], keys: list[str]) -> Subject:
    references = tuple(relative(image, root) for image in images_in(root / key / "refs"))
    return Subject(
        key=key,
        name=_name(key, keys),
        references=references,
        category=facts.get("class", ""),
        group=facts.get("group", ""),
        info=facts.get("description", ""),
    )


def _name(key: str, keys: list[str]) -> str:
    """Take the folder's own name, with its parents' where two concepts share it."""
    same = Counter(other.rsplit("/", 1)[-1] for other in keys)[key.rsplit("/", 1)[-1]]
    words = key if same > 1 else key.rsplit("/", 1)[-1]
    return words.replace("/", " ").replace("_", " ")


def _present_in(root: Path, keys: list[str]) -> dict[str, tuple[str, ...]]:
    present: dict[str, tuple[str, ...]] = {
        relative(image, root): (key,) for key in keys for image in images_in(root / key / "tests")
    }
    for entry in _multi_concept_images(root):
        image = next((name for name in present if str(entry["image"]).endswith(name)), None)
        if image is not None:
            present[image] = tuple(key for key in keys if key in entry["concepts"] or key in present[image])
    return present


def _multi_concept_images(root: Path) -> list[dict[str, Any]]:
    path = root / "concepts.json"
    return list(read_json(path).get("natural_multi_concept_images", [])) if path.is_file() else []


def _questions(root: Path) -> Iterator[ChoiceSample | OpenSample]:
    path = root / "questions.json"
    if not path.is_file():
        return
    for key, entries in read_json(path).items():
        for image, entry in entries.items():
            yield from questions(entry, f"{key}/{image}", key, pictures=(image,), known=(key,))
