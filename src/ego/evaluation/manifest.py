"""Manifest: one neutral, saved form for every evaluation data set - subjects, and samples that ask about them.

Texts name a subject by its key in angle brackets (`What colour is <bo>?`), so that subjects can be renamed.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ego.errors import DatasetError

FORMAT = 1
TASKS = ("recognition", "choice", "text", "open", "caption", "video")
NEUTRAL_NAMES = [
    "Aero",
    "Vex",
    "Echo",
    "Nova",
    "Flux",
    "Zenith",
    "Rune",
    "Quill",
    "Pax",
    "Blaze",
    "Frost",
    "Loom",
    "Glint",
    "Shade",
    "Onyx",
    "Tavi",
    "Miro",
    "Koa",
    "Lumo",
    "Brix",
    "Dax",
    "Fenn",
    "Juno",
    "Kestrel",
    "Lark",
    "Nimbo",
    "Orin",
    "Pip",
    "Rook",
    "Sable",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(_Frozen):
    """A personal concept of a data set.

    Attributes:
        key: What the data set calls it; unique.
        name: What a user would call it; goes into prompts.
        references: Images (or clips, whose middle frame counts) that introduce it, best first.
        category: What it is ("dog"); some peers need it.
        group: Concepts of one group are each other's hard negatives; empty when unknown.
        info: A sentence about it that ships with the data set; used by peers that put texts into prompts.
    """

    key: str
    name: str
    references: tuple[str, ...]
    category: str = ""
    group: str = ""
    info: str = ""


class _Sample(_Frozen):
    """What all samples share.

    Attributes:
        id: Unique in the manifest and stable between loads.
        pictures: Images in order; none for a question about memories alone.
        video: A clip instead of pictures.
        known: Keys of the subjects that are remembered when the question is asked.
        split: Part of the data set's own protocol, such as "Negative (Hard)"; for tables.
    """

    id: str
    pictures: tuple[str, ...] = ()
    video: str | None = None
    known: tuple[str, ...]
    split: str = ""

    @property
    def scene(self) -> str:
        """What is looked at; samples of one scene are resampled together."""
        return self.video or " ".join(self.pictures) or self.id


class RecognitionSample(_Sample):
    """Is the subject `asked` there?"""

    kind: Literal["recognition"] = "recognition"
    asked: str
    present: bool


class ChoiceSample(_Sample):
    """A question with given options; `answer` is the index of the right one."""

    kind: Literal["choice"] = "choice"
    question: str
    options: tuple[str, ...]
    answer: int


class OpenSample(_Sample):
    """A question with an answer in words."""

    kind: Literal["open"] = "open"
    question: str
    answer: str


class CaptionSample(_Sample):
    """Describe the scene; `present` are the subjects a caption should name."""

    kind: Literal["caption"] = "caption"
    present: tuple[str, ...]


Sample: TypeAlias = Annotated[
    RecognitionSample | ChoiceSample | OpenSample | CaptionSample, Field(discriminator="kind")
]


class Manifest(_Frozen):
    """A data set, read once.

    Attributes:
        format: Version of this form.
        dataset: Name of the data set.
        root: Folder that all paths are relative to; in a saved manifest itself relative to the file.
        subjects: The personal concepts.
        samples: The questions, in a fixed order.
        sets: Subjects that only count as found together (concept pairs of This-is-My-Img).
        notes: What the loader decided, dropped or missed.
    """

    format: int = FORMAT
    dataset: str
    root: str
    subjects: tuple[Subject, ...]
    samples: tuple[Sample, ...]
    sets: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()

    def subject(self, key: str) -> Subject:
        """Find a subject.

        Raises:
            DatasetError: If there is none of that key.
        """
        for subject in self.subjects:
            if subject.key == key:
                return subject
        raise DatasetError(f"{self.dataset} has no concept {key!r}; it has {[s.key for s in self.subjects]}")

    def of_task(self, task: str) -> tuple[Sample, ...]:
        """Samples of one task of TASKS, in order."""
        return tuple(sample for sample in self.samples if task_of(sample) == task)

    def in_words(self, text: str) -> str:
        """Replace every `<key>` by the subject's name."""
        names = {f"<{subject.key}>": subject.name for subject in self.subjects}
        return re.sub("|".join(map(re.escape, names)) or r"(?!)", lambda found: names[found[0]], text)

    def renamed(self, rename: Callable[[int, Subject], str]) -> "Manifest":
        """Give every subject another name, which its information then uses, too."""
        names = [rename(index, subject) for index, subject in enumerate(self.subjects)]
        olds = [*(subject.name for subject in self.subjects), *(subject.key for subject in self.subjects)]
        respelled = {spelling: name for old, name in zip(olds, names * 2, strict=True) for spelling in _spellings(old)}
        subjects = tuple(
            subject.model_copy(update={"name": name, "info": _respell(subject.info, respelled)})
            for subject, name in zip(self.subjects, names, strict=True)
        )
        return self.model_copy(update={"subjects": subjects})

    def save(self, path: Path) -> None:
        """Write the manifest as JSON; its root becomes relative to the file, to be found from any working directory."""
        saved = self.model_copy(update={"root": _relative_to(path.parent, self.root)})
        path.write_text(saved.model_dump_json(indent=1) + "\n", encoding="utf-8")


def task_of(sample: Sample) -> str:
    """Name the task of a sample: its kind, unless it is about a clip or about memories alone."""
    if sample.video:
        return "video"
    return "text" if isinstance(sample, ChoiceSample) and not sample.pictures else sample.kind


def with_neutral_names(manifest: Manifest) -> Manifest:
    """Rename all subjects, so that names such as "cat-cup" tell nothing about their looks."""
    return manifest.renamed(lambda index, _: neutral_name(index))


def neutral_name(index: int) -> str:
    """Name number `index`: an invented word, with a number once the words are used up."""
    round_, place = divmod(index, len(NEUTRAL_NAMES))
    return NEUTRAL_NAMES[place] + (f" {round_ + 1}" if round_ else "")


def _spellings(name: str) -> Iterator[str]:
    """List how a text uses a name: in brackets; bare, capitalized or as it is, unless that is a plain word or a letter.

    In "a cat with blue eyes" the word says what the concept is, even where "cat" is its name.
    """
    yield f"<{name}>"
    for bare in {name, name[:1].upper() + name[1:]}:
        plain = bare.islower() and bare.replace(" ", "").isalpha()
        if len(bare) > 1 and not plain:
            yield bare


def _respell(text: str, respelled: Mapping[str, str]) -> str:
    """Put new names in place of old spellings, the longest first; bare ones only as whole words."""
    longest_first = sorted(respelled, key=len, reverse=True)
    patterns = (re.escape(old) if old[0] == "<" else rf"(?<![\w-]){re.escape(old)}(?![\w-])" for old in longest_first)
    return re.sub("|".join(patterns) or r"(?!)", lambda found: respelled[found[0]], text)


def _relative_to(folder: Path, root: str) -> str:
    try:
        return Path(os.path.relpath(Path(root).resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return str(Path(root).resolve())


def check(manifest: Manifest) -> Manifest:
    """Refuse a manifest whose ids repeat or whose samples name unknown subjects.

    Raises:
        DatasetError: With the first offending entry.
    """
    _require_unique([subject.key for subject in manifest.subjects], "concept")
    _require_unique([sample.id for sample in manifest.samples], "sample")
    keys = {subject.key for subject in manifest.subjects}
    for sample in manifest.samples:
        if strange := set(sample.known) - keys:
            raise DatasetError(f"sample {sample.id!r} knows {sorted(strange)}, which {manifest.dataset} does not have")
    return manifest


def _require_unique(entries: Sequence[str], what: str) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry in seen:
            raise DatasetError(f"{what} {entry!r} appears twice; remove one of them")
        seen.add(entry)
