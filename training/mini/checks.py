"""Quick figures during training, on validation subjects: right answers by kind, and owners of visual tokens."""

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import torch
from bank import Bank
from collate import collate
from lessons import Teacher
from wording import Exchange

from ego.prompt import AREA, CAPTION_WITH_NAMES, DESCRIBE

if TYPE_CHECKING:
    from language import Run

LESSONS = 96
AT_ONCE = 16
_FIXED = {DESCRIBE: "describe", AREA: "area", CAPTION_WITH_NAMES: "caption"}
_OPENINGS = {"Which of": "which", "Which side": "side", "What colour": "colour", "How many": "count"}


def kind(exchange: Exchange, concepts: int) -> str:
    """Sort a question into the kinds that are reported."""
    if exchange.answer in ("Yes", "No"):
        return f"{exchange.answer.lower()}_{'single' if concepts == 1 else 'many'}"
    if exchange.answer in ("A", "B"):
        return "letter"
    if exchange.question in _FIXED:
        return _FIXED[exchange.question]
    return next((name for opening, name in _OPENINGS.items() if exchange.question.startswith(opening)), "other")


@torch.no_grad()
def check(run: "Run", bank: Bank) -> dict[str, float]:
    """Answer by teacher forcing: an answer is right if all its tokens are."""
    rng = np.random.default_rng(1)
    teacher = Teacher(bank, run.words, run.preset.language.length, run.preset.shape.grid**2)
    lessons = [teacher.lesson(rng, 1.0) for _ in range(LESSONS)]
    right: dict[str, list[float]] = defaultdict(list)
    for start in range(0, LESSONS, AT_ONCE):
        part = lessons[start : start + AT_ONCE]
        hits, owners = run.predictions(bank, collate(part, run.tokenizer.pad_token_id))
        right["owner"] += owners
        offset = 0
        for lesson in part:
            for first, last, exchange in lesson.answered:
                right[kind(exchange, lesson.concepts)].append(float(all(hits[offset + first : offset + last])))
            offset += len(lesson.targets)
    return {name: round(float(np.mean(values)), 3) for name, values in sorted(right.items())}
