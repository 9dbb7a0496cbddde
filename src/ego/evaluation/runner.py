"""Ask every method every question and write one record per answer; a run that was stopped continues where it was.

In the output folder: `run.json` (what was asked for, versions), `manifest.json`, `records.jsonl`,
`introductions.jsonl`, and `timings.jsonl`, the only file in which two runs of one command differ.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ego.atomic_file import make_folder, write_file
from ego.backbones.base import Backbone
from ego.config import EgoConfig
from ego.errors import ConfigError, DatasetError, ImageError, OutputError, VideoError
from ego.evaluation.datasets.entries import LETTERS
from ego.evaluation.datasets.left_out import LeftOut
from ego.evaluation.manifest import (
    CaptionSample,
    ChoiceSample,
    Manifest,
    RecognitionSample,
    Sample,
)
from ego.evaluation.methods.base import Method, Profile
from ego.evaluation.methods.peers.encoders import encoders_for
from ego.evaluation.methods.respondent import Reply
from ego.evaluation.methods.table import build_method
from ego.evaluation.pictures import PictureReader
from ego.evaluation.plan import Run, spread
from ego.evaluation.reading import chosen_option, yes_or_no
from ego.evaluation.records import Introduction, Lines, Record, Timing
from ego.text_file import read_json

CHOICE_TOKENS = 16


@dataclass(frozen=True)
class Step:
    """Progress: which method is at which of its answers."""

    method: str
    views: int
    done: int
    of: int


@dataclass
class _Cell:
    """One method with one number of views, and the profiles it has built."""

    name: str
    views: int
    method: Method[Any]
    profiles: dict[str, Profile] = field(default_factory=dict)


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
        self._pictures = PictureReader(Path(manifest.root), run.config.video_frames)
        _claim(out, run)
        manifest.save(out / "manifest.json")
        self._records = Lines(out / "records.jsonl", Record)
        self._introductions = Lines(out / "introductions.jsonl", Introduction)
        self._timings = Lines(out / "timings.jsonl", Timing)

    def run(self, on_step: Callable[[Step], None] = lambda step: None) -> None:
        """Answer what is not answered yet."""
        done = {record.key for record in self._records}
        encoders = encoders_for(self.run_.peers)
        for name in self.run_.methods:
            for views in self.run_.views:  # a method of its own for each: what it keeps depends on the references
                method = build_method(name, self.backbone, self.run_.config, encoders)
                method.prepare((one, self._pictures.references(one, 1)[0]) for one in self.manifest.subjects)
                cell = _Cell(name, views, method)
                questions = list(self._questions())
                for number, (sample, swapped) in enumerate(questions, start=1):
                    if _key(cell, sample, swapped) not in done:
                        self._attempt(cell, sample, swapped=swapped)
                    on_step(Step(name, views, number, len(questions)))

    def _questions(self) -> Iterator[tuple[Sample, bool]]:
        """All questions in order; multiple choice in both orders of options."""
        for task in self.run_.tasks:
            for sample in spread(self.manifest.of_task(task), self.run_.limit):
                yield sample, False
                if isinstance(sample, ChoiceSample):
                    yield sample, True

    def _attempt(self, cell: _Cell, sample: Sample, *, swapped: bool) -> None:
        """Ask a question; one whose picture cannot be read is left out, and the others are asked."""
        try:
            self._answer(cell, sample, swapped=swapped)
        except (ImageError, VideoError) as error:
            self.left_out.add("questions whose pictures cannot be read", f"{sample.id} ({error})")

    def _answer(self, cell: _Cell, sample: Sample, *, swapped: bool) -> None:
        keys = sample.known if self.run_.known == "sample" else [subject.key for subject in self.manifest.subjects]
        known = [self._profile(cell, key) for key in keys]
        pictures = self._pictures.of(sample)
        started = time.perf_counter()
        reply, read = _ask(cell.method, sample, pictures, known, self.manifest, self.run_.config, swapped=swapped)
        seconds = time.perf_counter() - started
        record = Record(
            method=cell.name,
            views=cell.views,
            sample=sample.id,
            swapped=swapped,
            text=reply.text,
            probability=reply.probability,
            context_tokens=reply.context_tokens,
            **read,
        )
        self._timings.append(Timing(of=record.key, seconds=seconds))
        self._records.append(record)

    def _profile(self, cell: _Cell, key: str) -> Profile:
        if key not in cell.profiles:
            subject = self.manifest.subject(key)
            references = self._pictures.references(subject, cell.views)
            started = time.perf_counter()
            profile: Profile = cell.method.introduce(subject, references)
            seconds = time.perf_counter() - started
            line = Introduction(
                method=cell.name,
                views=cell.views,
                subject=key,
                tokens=profile.tokens,
                story=profile.story,
                failed=profile.failed,
            )
            self._timings.append(Timing(of=line.key, seconds=seconds))
            self._introductions.append(line)
            cell.profiles[key] = profile
        return cell.profiles[key]


def choice_question(question: str, options: Sequence[str]) -> str:
    """Spell a multiple-choice question, as in `What is it? A. dog  B. cat. Answer with the letter.`."""
    listed = "  ".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    return f"{question} {listed.rstrip('.')}. Answer with the letter."


def _ask(
    method: Method[Any],
    sample: Sample,
    pictures: Sequence[Any],
    known: Sequence[Profile],
    manifest: Manifest,
    config: EgoConfig,
    *,
    swapped: bool,
) -> tuple[Reply, dict[str, Any]]:
    """Put one question to one method; return the reply and what is read from it."""
    if isinstance(sample, RecognitionSample):
        asked = next(profile for profile in known if profile.key == sample.asked)
        reply = method.recognize(pictures, asked, known)
        return reply, {"present": yes_or_no(reply.text)}
    if isinstance(sample, CaptionSample):
        return method.caption(pictures, known, max_new_tokens=config.caption_tokens), {}
    question = manifest.in_words(sample.question)
    if not isinstance(sample, ChoiceSample):
        return method.ask(pictures, question, known, max_new_tokens=config.answer_tokens), {}
    options = [manifest.in_words(option) for option in sample.options]
    order = list(reversed(range(len(options)))) if swapped else list(range(len(options)))
    question = choice_question(question, [options[place] for place in order])
    reply = method.ask(pictures, question, known, max_new_tokens=CHOICE_TOKENS)
    place = chosen_option(reply.text, [options[place] for place in order])
    return reply, {"choice": None if place is None else order[place]}


def _key(cell: _Cell, sample: Sample, swapped: bool) -> str:
    record = Record(method=cell.name, views=cell.views, sample=sample.id, swapped=swapped, text="", context_tokens=0)
    return record.key


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
