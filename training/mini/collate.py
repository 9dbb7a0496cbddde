"""Lessons -> tensors: padded ids, the attention tree, the visual rows and what is to be predicted."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from lessons import Lesson
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

ROUND = 32
HOPS = 6


@dataclass(frozen=True)
class Batch:
    """A batch of lessons.

    `rows`: sequence, place, picture, token. `targets` and `owners`: sequence, place, id; with their weights. `facts`:
    sequence, place, index of the right candidate.
    """

    ids: Tensor
    positions: Tensor
    visible: Tensor  # sequence 1 query key
    rows: Tensor
    targets: Tensor
    target_weights: Tensor
    owners: Tensor
    owner_weights: Tensor
    candidates: Tensor  # sequence candidate: ids among which owners are sought, -1 for none
    facts: Tensor
    fact_words: Tensor  # fact candidate: ids, -1 for none
    gazes: Tensor  # hop sequence query key: where attention shall go

    def to(self, device: str) -> "Batch":
        """Move to a device."""
        return Batch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__dataclass_fields__))


def collate(lessons: Sequence[Lesson], padding: int) -> Batch:
    """Pad and stack lessons."""
    length = -(-max(len(lesson.ids) for lesson in lessons) // ROUND) * ROUND
    ids, positions = (torch.full((len(lessons), length), fill) for fill in (padding, 0))
    pictures, questions = (torch.full((len(lessons), length), -1) for _ in range(2))
    for row, lesson in enumerate(lessons):
        for target, values in (
            (ids, lesson.ids),
            (positions, lesson.positions),
            (pictures, lesson.pictures),
            (questions, lesson.questions),
        ):
            target[row, : len(values)] = torch.tensor(values)
    targets, target_weights = _flat([lesson.targets for lesson in lessons])
    owners, owner_weights = _flat([lesson.owners for lesson in lessons])
    rows = torch.tensor([(row, *place) for row, lesson in enumerate(lessons) for place in lesson.rows])
    tree, gazes = _tree(pictures, questions), _gazes(lessons, length)
    sought = [torch.tensor(lesson.candidates or [-1]) for lesson in lessons]
    candidates = pad_sequence(sought, batch_first=True, padding_value=-1)
    told = [(row, place, which) for row, lesson in enumerate(lessons) for place, _, which in lesson.facts]
    facts = torch.tensor(told, dtype=torch.long).reshape(-1, 3)
    kinds = [torch.tensor(lesson.words.facts[kind]) for lesson in lessons for _, kind, _ in lesson.facts]
    words = pad_sequence(kinds or [torch.tensor([-1])], batch_first=True, padding_value=-1)[: len(facts)]
    owned = (owners, owner_weights, candidates)
    return Batch(ids, positions, tree, rows, targets, target_weights, *owned, facts, words, gazes)


def _gazes(lessons: Sequence[Lesson], length: int) -> Tensor:
    wanted = torch.zeros(HOPS, len(lessons), length, length, dtype=torch.bool)
    for row, lesson in enumerate(lessons):
        for hop, query, keys in lesson.gazes:
            wanted[hop, row, query, torch.tensor(keys)] = True
    return wanted


def _flat(per_lesson: Sequence[Sequence[tuple[int, int, float]]]) -> tuple[Tensor, Tensor]:
    where = [(row, place, token) for row, items in enumerate(per_lesson) for place, token, _ in items]
    weights = [weight for items in per_lesson for _, _, weight in items]
    return torch.tensor(where, dtype=torch.long).reshape(-1, 3), torch.tensor(weights)


def _tree(pictures: Tensor, questions: Tensor) -> Tensor:
    """Let every token see what precedes it in the shared context and on its own branch."""
    causal = torch.ones(pictures.shape[1], pictures.shape[1], dtype=torch.bool).tril()
    seen = causal[None]
    for branch in (pictures, questions):
        seen = seen & ((branch[:, None, :] == -1) | (branch[:, None, :] == branch[:, :, None]))
    return seen[:, None]
