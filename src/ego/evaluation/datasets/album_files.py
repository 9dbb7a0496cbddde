"""`concepts.json` and `questions.json` of an album, in the shapes people write them, entry by entry.

`concepts.json`: a list of concepts, or `concepts` (a list, or an object by id) and `natural_multi_concept_images`.
`questions.json`: `{concept: {image: question}}`, `{image: question}`, or a list of questions that name their image; in
each place one question or a list of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ego.evaluation.datasets.entries import ConceptFacts, SharedImage
from ego.evaluation.datasets.left_out import LeftOut, first_problem
from ego.evaluation.datasets.tree import read_json

FACTS, QUESTIONS = "concepts.json", "questions.json"
Kind = TypeVar("Kind", bound=BaseModel)


@dataclass(frozen=True)
class AskedAbout:
    """A question, not yet read, and what it is about in the words of the file."""

    concept: str | None
    image: str
    entry: Any


@dataclass(frozen=True)
class AlbumFacts:
    """What `concepts.json` says."""

    concepts: tuple[ConceptFacts, ...] = ()
    shared: tuple[SharedImage, ...] = ()


def read_facts(root: Path, left_out: LeftOut) -> AlbumFacts:
    """Read `concepts.json`, if there is one.

    Raises:
        DatasetError: If it is not JSON.
    """
    path = root / FACTS
    if not path.is_file():
        return AlbumFacts()
    content = read_json(path)
    if not isinstance(content, Mapping):
        return AlbumFacts(tuple(_read(content, ConceptFacts, FACTS, left_out)))
    shared = content.get("natural_multi_concept_images")
    concepts = _with_ids(content.get("concepts"))
    return AlbumFacts(
        tuple(_read(concepts, ConceptFacts, f"{FACTS}: concepts", left_out)),
        tuple(_read(shared, SharedImage, f"{FACTS}: natural_multi_concept_images", left_out)),
    )


def read_questions(root: Path, left_out: LeftOut) -> Iterator[AskedAbout]:
    """Read `questions.json`, if there is one.

    Raises:
        DatasetError: If it is not JSON.
    """
    path = root / QUESTIONS
    content = read_json(path) if path.is_file() else {}
    if isinstance(content, list):
        for number, entry in enumerate(content):
            yield from _one_of_a_list(entry, number, left_out)
    elif isinstance(content, Mapping):
        for label, entry in content.items():
            yield from _below(label, entry, left_out)
    else:
        left_out.add(f"{QUESTIONS} is no object and no list", repr(content)[:40])


def _with_ids(concepts: Any) -> Any:
    """Read `{id: {...}}` as a list."""
    if not isinstance(concepts, Mapping):
        return concepts
    return [{"id": key, **facts} if isinstance(facts, Mapping) else {"id": key} for key, facts in concepts.items()]


def _read(entries: Any, kind: type[Kind], place: str, left_out: LeftOut) -> Iterator[Kind]:
    if entries is not None and not isinstance(entries, list):
        left_out.add(f"{place} is no list", type(entries).__name__)
        return
    for number, entry in enumerate(entries or ()):
        try:
            yield kind.model_validate({"id": entry} if isinstance(entry, str) else entry)
        except ValidationError as error:
            left_out.add(f"entries of {place} that cannot be used", f"{number} ({first_problem(error)})")


def _one_of_a_list(entry: Any, number: int, left_out: LeftOut) -> Iterator[AskedAbout]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("image"), str):
        left_out.add(f"entries of {QUESTIONS} that name no image", str(number))
        return
    concept = entry.get("concept")
    yield AskedAbout(concept if isinstance(concept, str) else None, entry["image"], entry)


def _below(label: str, entries: Any, left_out: LeftOut) -> Iterator[AskedAbout]:
    """Read what stands behind a key: questions about an image, or images of a concept with their questions."""
    if isinstance(entries, list) or (isinstance(entries, Mapping) and "question" in entries):
        yield from (AskedAbout(None, label, entry) for entry in _several(entries))
    elif isinstance(entries, Mapping):
        for image, below in entries.items():
            yield from (AskedAbout(label, image, entry) for entry in _several(below))
    else:
        left_out.add(f"entries of {QUESTIONS} that are no questions", label)


def _several(entries: Any) -> list[Any]:
    return entries if isinstance(entries, list) else [entries]
