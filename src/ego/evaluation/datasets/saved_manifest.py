"""A manifest file, of `ego eval` or by hand -> a Manifest; entries that cannot be used are left out and noted."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ego.errors import DatasetError
from ego.evaluation.datasets.entries import LETTERS
from ego.evaluation.datasets.left_out import LeftOut, first_problem
from ego.evaluation.manifest import (
    FORMAT,
    CaptionSample,
    ChoiceSample,
    Manifest,
    RecognitionSample,
    Sample,
    Subject,
)
from ego.text_file import read_json

_SUBJECT: TypeAdapter[Subject] = TypeAdapter(Subject)
_SAMPLE: TypeAdapter[Sample] = TypeAdapter(Sample)
Entry = TypeVar("Entry")


def load_manifest(path: Path) -> Manifest:
    """Read a manifest; a relative root is meant relative to the file.

    Raises:
        DatasetError: If the file is missing or not a manifest of this format.
    """
    if not path.exists():
        raise DatasetError(f"no manifest at {path}; give the file or load the data set from its folder")
    content, left_out = read_json(path, DatasetError), LeftOut()
    head = _head(content, path)
    subjects = tuple(_unlike(_entries(content, "subjects", _SUBJECT.validate_python, left_out), "key", left_out))
    keys = {subject.key for subject in subjects}
    found = _unlike(_entries(content, "samples", _SAMPLE.validate_python, left_out), "id", left_out)
    samples = tuple(sample for sample in found if _fits(sample, keys, left_out))
    root = str((path.parent.resolve() / head.root).resolve())
    notes = (*head.notes, *left_out.notes)
    return head.model_copy(update={"root": root, "subjects": subjects, "samples": samples, "notes": notes})


def _head(content: Any, path: Path) -> Manifest:
    """Read what is said of the whole."""
    try:
        if not isinstance(content, dict) or not {"subjects", "samples"} <= content.keys():
            raise DatasetError(f"{path} is not a manifest of format {FORMAT}: it has no subjects and samples")
        head = Manifest.model_validate({**content, "subjects": (), "samples": ()})
        Path(head.root).resolve()
    except ValidationError as error:
        raise DatasetError(f"{path} is not a manifest of format {FORMAT}: {first_problem(error)}") from error
    except (OSError, ValueError, RuntimeError) as error:  # a root that no system accepts
        raise DatasetError(f"{path} names a root that cannot be used ({error}); correct it") from error
    if head.format != FORMAT:
        raise DatasetError(f"{path} is a manifest of format {head.format}, this release reads {FORMAT}")
    return head


def _entries(
    content: dict[str, Any], place: str, validate: Callable[[Any], Entry], left_out: LeftOut
) -> Iterator[Entry]:
    entries = content[place]
    if not isinstance(entries, list):
        left_out.add(f"{place} is no list", type(entries).__name__)
        return
    for number, entry in enumerate(entries):
        try:
            yield validate(entry)
        except ValidationError as error:
            left_out.add(f"{place} that cannot be used", f"{number} ({first_problem(error)})")


def _unlike(entries: Iterable[Entry], name: str, left_out: LeftOut) -> Iterator[Entry]:
    """Of entries with one name, the first counts."""
    seen: set[str] = set()
    for entry in entries:
        if getattr(entry, name) in seen:
            left_out.add(f"entries whose {name} appears twice", getattr(entry, name))
        else:
            seen.add(getattr(entry, name))
            yield entry


def _fits(sample: Sample, keys: set[str], left_out: LeftOut) -> bool:
    problem = _problem(sample, keys)
    if problem:
        left_out.add(f"samples that {problem}", sample.id)
    return not problem


def _problem(sample: Sample, keys: set[str]) -> str:
    named = {*sample.known, *(sample.present if isinstance(sample, CaptionSample) else ())}
    if isinstance(sample, RecognitionSample):
        if sample.asked not in sample.known:
            return "ask about a concept they do not know"
        named.add(sample.asked)
    if named - keys:
        return f"name concepts that are not there ({', '.join(sorted(named - keys))})"
    if isinstance(sample, ChoiceSample):
        if not 2 <= len(sample.options) <= len(LETTERS):
            return f"have not 2 to {len(LETTERS)} options"
        if not 0 <= sample.answer < len(sample.options):
            return "have an answer that is none of the options"
    return ""
