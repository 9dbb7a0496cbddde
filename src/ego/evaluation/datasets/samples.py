"""Steps that several loaders share: every image against every concept, and questions in the spelling of peers."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ego.errors import DatasetError
from ego.evaluation.datasets.entries import LETTERS, Question
from ego.evaluation.datasets.left_out import LeftOut, first_problem
from ego.evaluation.manifest import CaptionSample, ChoiceSample, OpenSample, RecognitionSample


def every_image_against_every_concept(
    present_in: Mapping[str, Sequence[str]],
    keys: Sequence[str],
    *,
    split: str = "",
    known: Sequence[str] | None = None,
) -> list[RecognitionSample]:
    """Ask about each concept on each image.

    Args:
        present_in: Image -> concepts that are in it.
        keys: All concepts to ask about.
        split: Name of the split.
        known: What is remembered; by default only the concept that is asked about.
    """
    return [
        RecognitionSample(
            id=f"recognition/{split}/{image}/{key}",
            pictures=(image,),
            known=tuple(known or (key,)),
            asked=key,
            present=key in present,
            split=split,
        )
        for image, present in present_in.items()
        for key in keys
    ]


def captions(
    present_in: Mapping[str, Sequence[str]], *, known: Sequence[str] | None = None, split: str = ""
) -> list[CaptionSample]:
    """Ask for a caption of each image; by default the concepts in it are the remembered ones."""
    return [
        CaptionSample(
            id=f"caption/{split}/{image}",
            pictures=(image,),
            known=tuple(known or present),
            present=tuple(present),
            split=split,
        )
        for image, present in present_in.items()
    ]


def questions(
    entry: Any,
    name: str,
    *asked: str,
    pictures: tuple[str, ...],
    known: tuple[str, ...],
    split: str = "",
    left_out: LeftOut | None = None,
) -> Iterator[ChoiceSample | OpenSample]:
    """Read one entry in the form shared by Yo'LLaVA, RAP and PeKit.

    Both `options` and `option`, both `correct_answer` and `answer` occur. With options it is multiple choice, without
    them open; options with a `gpt_answer` beside them are asked both ways, as PeKit does.

    Args:
        entry: What stands in the JSON file.
        name: Id of the samples, after their kind.
        asked: The concepts that `<sks>` or `sks` stands for.
        pictures: What is looked at.
        known: What is remembered.
        split: Name of the split.
        left_out: Where an entry that cannot be used is noted.

    Raises:
        DatasetError: If it cannot be used and is not to be left out.
    """
    try:
        read = Question.model_validate(entry)
    except ValidationError as error:
        problem = f"question {name!r} {first_problem(error)}"
        if left_out is None:
            raise DatasetError(problem) from error
        left_out.add("questions that cannot be used", problem)
        return
    shared: dict[str, Any] = {
        "pictures": pictures,
        "known": known,
        "question": with_asked(read.question, asked),
        "split": split,
    }
    if isinstance(read.answer, int):
        options = tuple(with_asked(option, asked) for option in read.options)
        yield ChoiceSample(id=f"choice/{name}", options=options, answer=read.answer, **shared)
    if read.gpt_answer or isinstance(read.answer, str):
        words = with_asked(read.gpt_answer or str(read.answer), asked)
        yield OpenSample(id=f"open/{name}", answer=words, **shared)


def with_asked(text: str, asked: Sequence[str]) -> str:
    """Put `<key>`, or several joined by "and", where a text says `<sks>` or the bare word sks."""
    names = " and ".join(f"<{key}>" for key in asked)
    return re.sub(r"<sks>|\bsks\b", lambda _: names, text)


def with_keys(text: str, keys: Iterable[str]) -> str:
    """Put `<key>` where a text names a concept as a whole word; longer names first.

    A name of one letter counts only in its angle brackets: "A" is mostly an article or the name of an option.
    """
    ordered = sorted((key for key in keys if len(key) > 1), key=len, reverse=True)
    pattern = "|".join(rf"(?<![\w<]){re.escape(key)}(?![\w>])" for key in ordered)
    return re.sub(pattern or r"(?!)", lambda found: f"<{found[0]}>", text)


def inline_options(text: str) -> tuple[str, tuple[str, ...]]:
    """Split a question that carries its options in the text: `Who is it? A. Ann B. Bob`.

    Raises:
        DatasetError: If there are no two options in alphabetical order.
    """
    marks = list(re.finditer(r"(?:^|(?<=\s))\(?([A-H])[.):]\s*", text))
    start = next((place for place, mark in enumerate(marks) if mark[1] == "A"), len(marks))
    marks = marks[start:]
    if [mark[1] for mark in marks] != list(LETTERS[: len(marks)]) or len(marks) < 2:
        raise DatasetError(f"no options A, B, ... in the question {text!r}")
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    options = tuple(text[mark.end() : end].strip(" \n,;") for mark, end in zip(marks, ends, strict=True))
    return text[: marks[0].start()].strip(), options
