"""Records: what each method answered, one JSON line per answer, appended as it goes and read back to resume.

Answers and wall-clock times live in two files, so that two runs of one command give identical records.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ego.errors import DatasetError

log = logging.getLogger(__name__)


class Record(BaseModel):
    """One answer.

    Attributes:
        method: Name of the method.
        views: Reference images per concept.
        sample: Id of the sample.
        swapped: Whether the options were given in reverse order.
        text: What the model said.
        present: Recognition: the answer as read; None if it was neither yes nor no.
        probability: Recognition: probability of yes, where the method has one.
        choice: Multiple choice: index of the option chosen, in the order of the data set.
        context_tokens: Length of the prompts that led to the answer, summed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    views: int
    sample: str
    swapped: bool = False
    text: str
    present: bool | None = None
    probability: float | None = None
    choice: int | None = None
    context_tokens: int

    @property
    def key(self) -> str:
        """Identify the question and who answered it."""
        return f"{self.method}/{self.views}/{self.sample}/{'swapped' if self.swapped else 'given'}"


class Introduction(BaseModel):
    """One concept, introduced to one method.

    Attributes:
        method: Name of the method.
        views: Reference images used.
        subject: Key of the subject.
        tokens: Context tokens its profile takes.
        story: How the profile came about, in words (keywords, size rule ...).
        failed: Whether the method could not learn the subject.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    views: int
    subject: str
    tokens: int
    story: str = ""
    failed: bool = False

    @property
    def key(self) -> str:
        """Identify the introduction."""
        return f"{self.method}/{self.views}/{self.subject}"


class Timing(BaseModel):
    """Wall-clock seconds of the record or introduction `of`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str
    seconds: float

    @property
    def key(self) -> str:
        """Identify what was timed."""
        return self.of


class Judgement(BaseModel):
    """Whether a judge model found an open answer right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str
    judge: str
    right: bool | None = None

    @property
    def key(self) -> str:
        """Identify the answer and its judge."""
        return f"{self.of}/{self.judge}"


Line = TypeVar("Line", Record, Introduction, Timing, Judgement)


class Lines(Generic[Line]):
    """An append-only JSONL file. A half-written last line (a killed run) is cut off when the file is opened.

    Damaged lines are left out and counted in a warning: what they answered is asked again by the next run.
    """

    def __init__(self, path: Path, kind: type[Line]) -> None:
        """Open or start the file at `path`."""
        self.path = path
        self.damaged: list[int] = []  # numbers of lines that the last reading left out
        self._kind: type[Line] = kind
        if path.is_file():
            _cut_half_line(path)

    def __iter__(self) -> Iterator[Line]:
        """Read all lines; of two with one key the last counts."""
        latest = {line.key: line for line in self._read()}
        return iter(latest.values())

    def append(self, line: Line) -> None:
        """Write one line and hand it to the operating system."""
        text = json.dumps(line.model_dump(exclude_none=True), ensure_ascii=False)
        with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text + "\n")

    def _read(self) -> Iterator[Line]:
        if not self.path.exists():
            return
        self.damaged = []
        for number, text in enumerate(self._texts(), start=1):
            try:
                yield self._kind.model_validate_json(text)
            except ValidationError:
                self.damaged.append(number)
        if self.damaged:
            log.warning(
                "%d lines of %s are damaged and left out (the first is line %d); the same `ego eval` asks again",
                *(len(self.damaged), self.path, self.damaged[0]),
            )

    def _texts(self) -> list[bytes]:
        try:
            return self.path.read_bytes().split(b"\n")[:-1]  # answers may hold other line ends
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read ({error.strerror}); give the folder of a run") from error


def _cut_half_line(path: Path) -> None:
    whole = path.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end != len(whole):
        with path.open("r+b") as file:
            file.truncate(end)
