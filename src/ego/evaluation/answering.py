"""One worker's part of an evaluation: it holds a model, the methods and what they were introduced to, and answers.

A worker introduces a subject when a question first needs it; workers on several devices each do so for themselves.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ego.backbones.base import Backbone
from ego.config import EgoConfig
from ego.errors import EgoError, ImageError, VideoError
from ego.evaluation.datasets.entries import LETTERS
from ego.evaluation.manifest import CaptionSample, ChoiceSample, Manifest, RecognitionSample, Sample
from ego.evaluation.methods.base import Method, Profile
from ego.evaluation.methods.peers.encoders import encoders_for
from ego.evaluation.methods.respondent import Reply
from ego.evaluation.methods.table import build_method
from ego.evaluation.pictures import PictureReader
from ego.evaluation.plan import Run
from ego.evaluation.reading import chosen_option, yes_or_no
from ego.evaluation.records import Introduction, Record, Timing

CHOICE_TOKENS = 16


@dataclass(frozen=True)
class Question:
    """One question to one method.

    Attributes:
        method: Name of the method.
        views: Reference images per concept.
        sample: What is asked.
        swapped: Whether the options are given in reverse order.
        number: Place among the questions to the method with so many views, from 1.
        of: How many there are.
    """

    method: str
    views: int
    sample: Sample
    swapped: bool
    number: int
    of: int

    @property
    def key(self) -> str:
        """Identify the question and who is to answer it."""
        record = Record(method=self.method, views=self.views, sample=self.sample.id, swapped=self.swapped, text="",
                        context_tokens=0)  # fmt: skip
        return record.key


@dataclass(frozen=True)
class Answered:
    """What came of a question.

    Attributes:
        record: The answer.
        introductions: Subjects that were introduced for it.
        timings: Seconds of all these.
    """

    record: Record
    introductions: tuple[Introduction, ...]
    timings: tuple[Timing, ...]


@dataclass
class _Cell:
    """One method with one number of views, and the profiles it has built."""

    name: str
    views: int
    method: Method[Any]
    profiles: dict[str, Profile] = field(default_factory=dict)


class Answering:
    """Answers questions of one run.

    Args:
        backbone: The model.
        manifest: The data set.
        run: What the run was asked for.
    """

    def __init__(self, backbone: Backbone, manifest: Manifest, run: Run) -> None:
        self._backbone, self._manifest, self._run = backbone, manifest, run
        self._pictures = PictureReader(Path(manifest.root), run.config.video_frames)
        self._encoders = encoders_for(run.peers)
        self._cell: _Cell | None = None

    def __call__(self, questions: Sequence[Question]) -> list[Answered | EgoError]:
        """Answer some questions; where a picture cannot be read, the error stands in the place of the answer."""
        return [self._attempt(question) for question in questions]

    def _attempt(self, question: Question) -> Answered | EgoError:
        cell = self._cell_of(question)
        try:
            return self._answer(cell, question)
        except (ImageError, VideoError) as error:
            return error

    def _cell_of(self, question: Question) -> _Cell:
        """A method of its own for each number of views: what it keeps depends on the references."""
        cell = self._cell
        if cell is None or (cell.name, cell.views) != (question.method, question.views):
            method = build_method(question.method, self._backbone, self._run.config, self._encoders)
            method.prepare((one, self._pictures.references(one, 1)[0]) for one in self._manifest.subjects)
            cell = self._cell = _Cell(question.method, question.views, method)
        return cell

    def _answer(self, cell: _Cell, question: Question) -> Answered:
        sample = question.sample
        keys = sample.known if self._run.known == "sample" else [subject.key for subject in self._manifest.subjects]
        made: list[tuple[Introduction, Timing]] = []
        known = [self._profile(cell, key, made) for key in keys]
        pictures = self._pictures.of(sample)
        started = time.perf_counter()
        reply, read = _ask(cell.method, question, pictures, known, self._manifest, self._run.config)
        seconds = time.perf_counter() - started
        record = Record(
            method=cell.name,
            views=cell.views,
            sample=sample.id,
            swapped=question.swapped,
            text=reply.text,
            probability=reply.probability,
            context_tokens=reply.context_tokens,
            **read,
        )
        timings = (*(timing for _, timing in made), Timing(of=record.key, seconds=seconds))
        return Answered(record, tuple(introduction for introduction, _ in made), timings)

    def _profile(self, cell: _Cell, key: str, made: list[tuple[Introduction, Timing]]) -> Profile:
        if key not in cell.profiles:
            subject = self._manifest.subject(key)
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
            made.append((line, Timing(of=line.key, seconds=seconds)))
            cell.profiles[key] = profile
        return cell.profiles[key]


def choice_question(question: str, options: Sequence[str]) -> str:
    """Spell a multiple-choice question, as in `What is it? A. dog  B. cat. Answer with the letter.`."""
    listed = "  ".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
    return f"{question} {listed.rstrip('.')}. Answer with the letter."


def _ask(
    method: Method[Any],
    question: Question,
    pictures: Sequence[Any],
    known: Sequence[Profile],
    manifest: Manifest,
    config: EgoConfig,
) -> tuple[Reply, dict[str, Any]]:
    """Put one question to one method; return the reply and what is read from it."""
    sample = question.sample
    if isinstance(sample, RecognitionSample):
        asked = next(profile for profile in known if profile.key == sample.asked)
        reply = method.recognize(pictures, asked, known)
        return reply, {"present": yes_or_no(reply.text)}
    if isinstance(sample, CaptionSample):
        return method.caption(pictures, known, max_new_tokens=config.caption_tokens), {}
    words = manifest.in_words(sample.question)
    if not isinstance(sample, ChoiceSample):
        return method.ask(pictures, words, known, max_new_tokens=config.answer_tokens), {}
    options = [manifest.in_words(option) for option in sample.options]
    order = list(reversed(range(len(options)))) if question.swapped else list(range(len(options)))
    words = choice_question(words, [options[place] for place in order])
    reply = method.ask(pictures, words, known, max_new_tokens=CHOICE_TOKENS)
    place = chosen_option(reply.text, [options[place] for place in order])
    return reply, {"choice": None if place is None else order[place]}
