"""Pictures that went right and wrong, small, beside what was asked and answered: what the figures are made of."""

import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ego.atomic_file import make_folder, write_file
from ego.errors import EgoError
from ego.evaluation.manifest import CaptionSample, ChoiceSample, OpenSample, RecognitionSample, Sample
from ego.evaluation.pictures import PictureReader
from ego.evaluation.reading import named
from ego.evaluation.records import Record
from ego.evaluation.report.results import Results
from ego.evaluation.report.tables import title_of
from ego.evaluation.report.verdict import best_of

log = logging.getLogger(__name__)

MOST = 6  # right ones of a kind of question, and as many wrong ones
SIDE = 320  # pixels of a picture's longest side
FOLDER = "examples"


@dataclass(frozen=True)
class Example:
    """One answer with its picture.

    Attributes:
        picture: File, relative to the report.
        asked: The question.
        expected: The right answer.
        said: What the method answered.
        right: Whether that is right.
    """

    picture: str
    asked: str
    expected: str
    said: str
    right: bool


@dataclass(frozen=True)
class Examples:
    """Examples of one kind of question, as one method answered it; wrong ones first."""

    title: str
    examples: tuple[Example, ...]


def draw_examples(results: Results, out: Path) -> list[Examples]:
    """Draw examples of every kind of question about pictures, by the method that is best at it.

    Pictures that left, or cannot be read, are passed over.

    Args:
        results: The run.
        out: Folder of the report; pictures go into a folder of it.
    """
    pictures = PictureReader(Path(results.manifest.root), frames=1)
    found = []
    for task, kind in results.groups:
        cell = best_of(results, task, kind)
        answered = [] if cell is None else results.answered(cell, task, kind)
        shown = [pair for pair in answered if pair[0].scene != pair[0].id and not pair[1].swapped]
        examples = tuple(_drawn(results, shown, pictures, out, f"{task}-{kind}"))
        if cell is not None and examples:
            found.append(Examples(f"{title_of(task, kind)}: examples of {cell.label}", examples))
    return found


def _drawn(
    results: Results, answered: Sequence[tuple[Sample, Record]], pictures: PictureReader, out: Path, name: str
) -> Iterator[Example]:
    judged = [(sample, record, is_right(results, sample, record)) for sample, record in answered]
    for right in (False, True):
        those = [(sample, record) for sample, record, was in judged if was == right]
        for number, (sample, record) in enumerate(_spread(those)):
            file = f"{FOLDER}/{name}-{'right' if right else 'wrong'}-{number}.jpg"
            if _save(pictures, sample, out / file):
                yield Example(file, *_told(results, sample, record), right)


def is_right(results: Results, sample: Sample, record: Record) -> bool:
    """Judge one answer as the main score of its kind does."""
    match sample:
        case RecognitionSample():
            return record.present == sample.present
        case ChoiceSample():
            return record.choice == sample.answer
        case CaptionSample():
            return set(sample.present) == _named(results, record)
        case OpenSample():
            if results.verdicts.judge:
                return bool(results.verdicts.right.get(record.key))
            return bool(named(record.text, [results.manifest.in_words(sample.answer).rstrip(".")]))


def _told(results: Results, sample: Sample, record: Record) -> tuple[str, str, str]:
    """Spell question, right answer and answer."""
    manifest = results.manifest
    match sample:
        case RecognitionSample():
            sure = "" if record.probability is None else f" ({record.probability:.2f})"
            said = "unclear" if record.present is None else _yes(record.present)
            return f"Is {manifest.subject(sample.asked).name} there?", _yes(sample.present), said + sure
        case ChoiceSample():
            options = [manifest.in_words(option) for option in sample.options]
            said = "unclear" if record.choice is None else options[record.choice]
            return manifest.in_words(sample.question), options[sample.answer], said
        case CaptionSample():
            names = ", ".join(manifest.subject(key).name for key in sample.present) or "nobody"
            return "Describe it.", f"names {names}", record.text
        case OpenSample():
            return manifest.in_words(sample.question), manifest.in_words(sample.answer), record.text


def _named(results: Results, record: Record) -> set[str]:
    keys = {subject.name: subject.key for subject in results.manifest.subjects}
    return {keys[name] for name in named(record.text, list(keys))}


def _yes(there: bool) -> str:
    return "yes" if there else "no"


def _spread(answered: Sequence[tuple[Sample, Record]]) -> list[tuple[Sample, Record]]:
    """Take some of many, evenly spread over the data set."""
    count = min(len(answered), MOST)
    return [answered[(2 * number + 1) * len(answered) // (2 * count)] for number in range(count)]


def _save(pictures: PictureReader, sample: Sample, file: Path) -> bool:
    try:
        picture = pictures.of(sample)[0].picture.convert("RGB")
    except (EgoError, OSError) as error:
        log.warning("%s is not among the examples: %s", sample.scene, error)
        return False
    picture.thumbnail((SIDE, SIDE))
    make_folder(file.parent)
    blob = io.BytesIO()
    picture.save(blob, "JPEG", quality=85)
    write_file(file, blob.getvalue())
    return True
