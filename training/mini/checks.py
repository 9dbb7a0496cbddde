"""Quick figures during training, on validation subjects: right answers by kind, owners of visual tokens, the hops."""

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import torch
from bank import Bank
from collate import collate
from gaze import surprises
from lessons import Lesson
from nouns import NOUNS
from teacher import Teacher
from wording import Exchange

from ego.prompt import AREA, CAPTION_WITH_NAMES, DESCRIBE

if TYPE_CHECKING:
    from language import Run

SIZES = (0, 1, 1, 2, 4, 4, 8, 12)  # concepts in memory; none: introductions
LESSONS, LENGTH = 10, 760
_FIXED = {DESCRIBE: "describe", AREA: "area", CAPTION_WITH_NAMES: "caption"}
_OPENINGS = {"Which of": "which", "Which side": "side", "What colour": "colour", "How many": "count", "What is": "what"}
_HOPS = ("to_name", "to_opening", "to_memory", "to_picture", "to_question", "to_who")


def kind(exchange: Exchange, concepts: int) -> str:
    """Sort a question into the kinds that are reported."""
    if exchange.answer in ("Yes", "No"):
        return f"{exchange.answer.lower()}_{concepts}"
    if exchange.answer in ("A", "B"):
        return "letter"
    if exchange.question in _FIXED:
        return f"caption_{concepts}" if exchange.question == CAPTION_WITH_NAMES else _FIXED[exchange.question]
    return next((name for opening, name in _OPENINGS.items() if exchange.question.startswith(opening)), "other")


@torch.no_grad()
def check(run: "Run", bank: Bank) -> dict[str, float]:
    """Answer by teacher forcing: an answer is right if all its tokens are. Hops: attention that arrives."""
    rng = np.random.default_rng(1)
    teacher = Teacher(bank, run.words, LENGTH, run.preset.shape.grid**2)
    right: dict[str, list[float]] = defaultdict(list)
    margins: dict[int, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for size in SIZES:
        lessons = [teacher.remembering(rng, size, 0.5) if size else teacher.introductions(rng) for _ in range(LESSONS)]
        _measure(run, bank, lessons, size, right, margins)
    figures = {name: round(float(np.mean(values)), 3) for name, values in sorted(right.items())}
    return figures | {f"auroc_{size}": round(separation(*pair), 3) for size, pair in margins.items()}


def _measure(
    run: "Run",
    bank: Bank,
    lessons: list[Lesson],
    size: int,
    right: dict[str, list[float]],
    margins: dict[int, tuple[list[float], list[float]]],
) -> None:
    from language import fact_scores, owner_scores, rows_of, think, used  # noqa: PLC0415 - it imports this module

    pictures, batch = used(collate(lessons))
    batch, features = batch.to(run.device), bank.features[pictures].to(run.device)
    thoughts = think(run.model, batch, rows_of(run.model, batch, features))
    answers = run.model.lm_head(thoughts.states[-1][batch.targets[:, 0], batch.targets[:, 1]]).float()
    hits = (answers.argmax(-1) == batch.targets[:, 2]).tolist()
    if len(batch.owners):
        owners = owner_scores(run.model, thoughts, batch).argmax(1)
        somebody = batch.owners[:, 2] > 0
        right[f"owner_{size}"] += (owners == batch.owners[:, 2])[somebody].float().tolist()
        right[f"nobody_{size}"] += (owners == 0)[~somebody].float().tolist()
    right["fact"] += (fact_scores(run.model, thoughts, batch).argmax(1) == batch.facts[:, 2]).float().tolist()
    for hop, surprise in zip(_HOPS, surprises(thoughts.looks, batch), strict=True):
        right[hop] += (-surprise).exp().tolist()
    yes, no = (run.words.encode(word)[0] for word in ("Yes", "No"))
    nouns = {run.words.encode(f" {word}")[0] for word in NOUNS}
    offset = 0
    for lesson in lessons:
        for first, last, exchange in lesson.answered:
            right[kind(exchange, lesson.concepts)].append(float(all(hits[offset + first : offset + last])))
            if exchange.answer in ("Yes", "No"):
                margin = float(answers[offset + first, yes] - answers[offset + first, no])
                margins[size][exchange.answer == "No"].append(margin)
            if exchange.question == DESCRIBE:  # each word that is right where the words before it were given
                told = lesson.targets[first:last]
                right["noun"] += [hits[offset + first + at] for at, (_, token, _) in enumerate(told) if token in nouns]
        offset += len(lesson.targets)


def separation(present: list[float], absent: list[float]) -> float:
    """Compute the area under the ROC curve."""
    above = np.asarray(present)[:, None] - np.asarray(absent)[None]
    return float((above > 0).mean() + 0.5 * (above == 0).mean()) if above.size else 0.5
