"""Ask every method every question and write one record per answer; a run that was stopped continues where it was.

Questions are handed out in batches, to this process or to Ray workers (`ego.bulk`), and answers are written here in the
order of the questions, each once. In the output folder: `run.json` (what was asked for, versions), `manifest.json`,
`records.jsonl`, `introductions.jsonl`, and `timings.jsonl`, the only file in which two runs of one command differ.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ego.atomic_file import make_folder, write_file
from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from ego.backbones.loading import hide_progress
from ego.bulk.jobs import Job, Outcome, ThisProcess, Work, Workers
from ego.bulk.run import run_bulk
from ego.errors import BackboneError, ConfigError, DatasetError, ImageError, OutputError, VideoError
from ego.evaluation.answering import Answered, Answering, Question
from ego.evaluation.datasets.left_out import LeftOut
from ego.evaluation.manifest import ChoiceSample, Manifest, Sample
from ego.evaluation.plan import Run, spread
from ego.evaluation.records import Introduction, Lines, Record, Timing
from ego.text_file import read_json

_UNREADABLE = tuple(f"{kind.__name__}: " for kind in (ImageError, VideoError))


@dataclass(frozen=True)
class Step:
    """Progress: which method is at which of its answers."""

    method: str
    views: int
    done: int
    of: int


@dataclass(frozen=True)
class Model:
    """What every worker needs; the data set must be under the same path wherever a worker is.

    Attributes:
        id: As for `load_backbone`.
        device: The same.
        manifest: The data set.
        run: What the run was asked for.
    """

    id: str
    device: str | None
    manifest: Manifest
    run: Run

    def __call__(self) -> Work:
        """Load the model and make ready to answer."""
        hide_progress()
        return working(Answering(load_backbone(self.id, device=self.device), self.manifest, self.run))


def working(answering: Answering) -> Work:
    """Let a worker do batches of questions."""
    return lambda jobs: answering([job.payload for job in jobs])


class Runner:
    """Runs methods over a manifest.

    Args:
        backbone: The model.
        manifest: The data set.
        run: What to do; see `plan`.
        out: Folder for the records.
    """

    def __init__(self, backbone: Backbone, manifest: Manifest, run: Run, out: Path) -> None:
        self.backbone, self.manifest, self.run_, self.out = backbone, manifest, run, out
        self.left_out = LeftOut()
        _claim(out, run)
        manifest.save(out / "manifest.json")
        self._records = Lines(out / "records.jsonl", Record)
        self._introductions = Lines(out / "introductions.jsonl", Introduction)
        self._timings = Lines(out / "timings.jsonl", Timing)

    def run(
        self, on_step: Callable[[Step], None] = lambda step: None, workers: Workers | None = None, batch: int = 1
    ) -> None:
        """Answer what is not answered yet.

        Args:
            on_step: Called with every question that is done.
            workers: Who answers; None: this process, with the model given.
            batch: Questions that a worker gets at once.

        Raises:
            BackboneError: If workers were lost again and again; what is answered is kept.
        """
        done, introduced = {record.key for record in self._records}, set[str]()

        def jobs() -> Iterator[Job]:
            for question in self._questions():
                if question.key in done:
                    on_step(_step(question))
                else:
                    yield Job(question.key, question)

        def write(outcome: Outcome) -> None:
            answered: Answered = outcome.result
            for line in answered.introductions:
                if line.key not in introduced:  # other workers introduce the same
                    introduced.add(line.key)
                    self._introductions.append(line)
            for timing in answered.timings:
                self._timings.append(timing)
            self._records.append(answered.record)
            on_step(_step(outcome.job.payload))

        own = workers or ThisProcess(lambda: working(Answering(self.backbone, self.manifest, self.run_)))
        self._leave_out(run_bulk(jobs(), own, write, batch=batch).failures, on_step)

    def _leave_out(self, failures: Sequence[Outcome], on_step: Callable[[Step], None]) -> None:
        """Name the questions whose pictures cannot be read; anything else ends the run."""
        for failure in failures:
            kind = next((kind for kind in _UNREADABLE if failure.error.startswith(kind)), None)
            if kind is None:
                raise BackboneError(f"{failure.job.key} has no answer: {failure.error}; start the same run again")
            said = f"{failure.job.payload.sample.id} ({failure.error.removeprefix(kind)})"
            self.left_out.add("questions whose pictures cannot be read", said)
            on_step(_step(failure.job.payload))

    def _questions(self) -> Iterator[Question]:
        """All questions in order, method by method; multiple choice in both orders of options."""
        asked = [(sample, swapped) for task in self.run_.tasks for sample, swapped in self._asked(task)]
        for method in self.run_.methods:
            for views in self.run_.views:
                for number, (sample, swapped) in enumerate(asked, start=1):
                    yield Question(method, views, sample, swapped, number, len(asked))

    def _asked(self, task: str) -> Iterator[tuple[Sample, bool]]:
        samples = spread(self.manifest.of_task(task), self.run_.limit)
        return chain.from_iterable(
            ((sample, False), (sample, True)) if isinstance(sample, ChoiceSample) else ((sample, False),)
            for sample in samples
        )


def _step(question: Question) -> Step:
    return Step(question.method, question.views, question.number, question.of)


def _claim(out: Path, run: Run) -> None:
    """Start a folder, or continue the same run in it."""
    path, text = out / "run.json", run.model_dump_json(indent=1) + "\n"
    if path.exists() and (there := read_json(path, DatasetError)) != json.loads(text):
        changed = _changed(there if isinstance(there, dict) else {}, json.loads(text))
        raise ConfigError(f"{out} holds another run ({', '.join(changed)} differ); give another folder or remove it")
    try:
        make_folder(out)
        write_file(path, text.encode())
    except OSError as error:
        raise OutputError(f"{out} cannot be written ({error.strerror or error}); choose another --out") from error


def _changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [name for name in new if old.get(name) != new[name]] or ["settings"]
