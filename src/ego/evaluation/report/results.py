"""What a run left behind, read back: records by method and kind of question, and what they cost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from statistics import median

import numpy as np
from pydantic import ValidationError

from ego.errors import ConfigError, DatasetError
from ego.evaluation.datasets.left_out import first_problem
from ego.evaluation.datasets.saved_manifest import load_manifest
from ego.evaluation.manifest import Manifest, Sample, task_of
from ego.evaluation.metrics import Answered, captions, choice, open_answers, recognition
from ego.evaluation.metrics.bootstrap import Estimate, Scores, Tally, estimates
from ego.evaluation.plan import Run
from ego.evaluation.records import Introduction, Lines, Record, Timing
from ego.evaluation.report.verdicts import Verdicts, verdicts_of
from ego.text_file import read_json


@dataclass(frozen=True)
class Cell:
    """A method with a number of reference images; one row of a table."""

    method: str
    views: int

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"{self.method}, {self.views} view{'s' if self.views > 1 else ''}"


@dataclass(frozen=True)
class Scorer:
    """How one kind of question is scored, and which score stands for it."""

    tally: Callable[[Answered, Manifest], Tally]
    scores: Scores
    main: str


@dataclass(frozen=True, eq=False)
class Results:
    """A finished or unfinished run."""

    run: Run
    manifest: Manifest
    records: tuple[Record, ...]
    introductions: tuple[Introduction, ...]
    seconds: Mapping[str, float]
    verdicts: Verdicts = field(default_factory=Verdicts)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Methods and views that have answers, in the order of the run."""
        answered = {(record.method, record.views) for record in self.records}
        wanted = [(method, views) for method in self.run.methods for views in self.run.views]
        return tuple(Cell(*cell) for cell in wanted if cell in answered)

    @property
    def groups(self) -> tuple[tuple[str, str], ...]:
        """Tasks with the kinds of question in them, such as ("video", "open")."""
        asked = {record.sample for record in self.records}
        found = {(task_of(sample), sample.kind) for sample in self.manifest.samples if sample.id in asked}
        order = {task: place for place, task in enumerate(self.run.tasks)}
        return tuple(sorted(found, key=lambda group: (order[group[0]], group[1])))

    @property
    def judgeable(self) -> tuple[Record, ...]:
        """Answers that a judge can judge: those in words."""
        questions = {sample.id for sample in self.manifest.samples if sample.kind == "open"}
        return tuple(record for record in self.records if record.sample in questions)

    def splits(self, task: str, kind: str) -> tuple[str, ...]:
        """List the splits that were asked about, in the order of the manifest."""
        asked = {record.sample for record in self.records}
        samples = (sample for sample in self.manifest.samples if (task_of(sample), sample.kind) == (task, kind))
        return tuple(dict.fromkeys(sample.split for sample in samples if sample.id in asked))

    @cached_property
    def scored(self) -> dict[tuple[str, str], dict[Cell, dict[str, Estimate]]]:
        """Every score with its interval, by task and kind, then by cell; cells without answers are left out."""
        return {(task, kind): dict(self._scored_cells(task, kind)) for task, kind in self.groups}

    def _scored_cells(self, task: str, kind: str) -> Iterator[tuple[Cell, dict[str, Estimate]]]:
        scorer = self.scorer(kind)
        for cell in self.cells:
            if answered := self.answered(cell, task, kind):
                yield cell, estimates(scorer.tally(answered, self.manifest), scorer.scores)

    def answered(self, cell: Cell, task: str, kind: str, split: str | None = None) -> list[tuple[Sample, Record]]:
        """Pairs of sample and record of one cell, in the order of the manifest."""
        mine = self._by_cell.get(cell, {})
        return [
            (sample, record)
            for sample in self.manifest.samples
            if (task_of(sample), sample.kind) == (task, kind) and split in (None, sample.split)
            for record in sorted(mine.get(sample.id, []), key=lambda record: record.swapped)
        ]

    @cached_property
    def _by_cell(self) -> dict[Cell, dict[str, list[Record]]]:
        grouped: dict[Cell, dict[str, list[Record]]] = {}
        for record in self.records:
            mine = grouped.setdefault(Cell(record.method, record.views), {})
            mine.setdefault(record.sample, []).append(record)
        return grouped

    def scorer(self, kind: str) -> Scorer:
        """Choose how a kind of question is scored."""
        judged = partial(open_answers.tally, judged=self.verdicts.right)
        return {
            "recognition": Scorer(recognition.tally, recognition.scores, "f1"),
            "caption": Scorer(captions.tally, captions.scores, "recall"),
            "choice": Scorer(choice.tally, choice.scores, "accuracy"),
            "open": Scorer(judged, open_answers.scores, "judged_right" if self.verdicts.judge else "contains_answer"),
        }[kind]

    def cost(self, cell: Cell) -> dict[str, float]:
        """Median seconds of an introduction, mean seconds of a query, mean tokens of both.

        Methods that look at a picture once and keep what they saw spend nearly all their time on the first question
        about it; a median would leave that work out.
        """
        made = [line for line in self.introductions if (line.method, line.views) == (cell.method, cell.views)]
        asked = [record for record in self.records if (record.method, record.views) == (cell.method, cell.views)]
        return {
            "failed": sum(line.failed for line in made),
            "introduction_seconds": _median([self.seconds[line.key] for line in made if line.key in self.seconds]),
            "memory_tokens": _mean([line.tokens for line in made]),
            "query_seconds": _mean([self.seconds[r.key] for r in asked if r.key in self.seconds]),
            "context_tokens": _mean([record.context_tokens for record in asked]),
        }


def load_results(out: Path, *, judge: str | None = None) -> Results:
    """Read the folder of a run, with the verdicts of one judge if it has answers in words.

    Args:
        out: Folder that `ego eval` filled.
        judge: Name of the judge model; may be left out if there is at most one.

    Raises:
        ConfigError: If that judge has given no verdict, or if several have and none is named.
        DatasetError: If the folder holds no run or damaged verdicts.
    """
    answers = load_answers(out)
    return replace(answers, verdicts=verdicts_of(out, judge)) if answers.judgeable else answers


def load_answers(out: Path) -> Results:
    """Read the folder of a run, without verdicts.

    Raises:
        DatasetError: If it holds none that can be read.
    """
    if not (out / "run.json").is_file():
        raise DatasetError(f"{out} holds no run; make one with `ego eval ... --out {out}`")
    return Results(
        run=_run(out / "run.json"),
        manifest=load_manifest(out / "manifest.json"),
        records=tuple(Lines(out / "records.jsonl", Record)),
        introductions=tuple(Lines(out / "introductions.jsonl", Introduction)),
        seconds={line.of: line.seconds for line in Lines(out / "timings.jsonl", Timing)},
    )


def _run(path: Path) -> Run:
    try:
        return Run.model_validate(read_json(path, DatasetError))
    except (ValidationError, ConfigError) as error:
        problem = first_problem(error) if isinstance(error, ValidationError) else error
        raise DatasetError(
            f"{path} is no run of this version of ego; repeat it into another folder ({problem})"
        ) from error


def _median(values: list[float]) -> float:
    return median(values) if values else float("nan")


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
