"""Lessons -> tensors: padded ids, the attention tree, the visual rows and what is to be predicted."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from lessons import Lesson
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

ROUND = 16


@dataclass(frozen=True)
class Batch:
    """A batch of lessons.

    `rows`: sequence, place, picture, token. `targets`: sequence, place, id; with their weights. `owners` and `facts`:
    sequence, place, index of the right candidate. `gazes`: hop, sequence, place.
    """

    ids: Tensor
    positions: Tensor
    visible: Tensor  # sequence 1 query key
    rows: Tensor
    targets: Tensor
    target_weights: Tensor
    owners: Tensor
    candidates: Tensor  # sequence candidate token: ids of the names among which owners are sought, -1 for none
    facts: Tensor
    fact_words: Tensor  # fact candidate: ids, -1 for none
    gazes: Tensor
    gaze_keys: Tensor  # gaze key: whether attention shall go there

    def to(self, device: str) -> "Batch":
        """Move to a device."""
        return Batch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__dataclass_fields__))


def collate(lessons: Sequence[Lesson]) -> Batch:
    """Pad and stack lessons."""
    length = -(-max(len(lesson.ids) for lesson in lessons) // ROUND) * ROUND
    ids = _padded([lesson.ids for lesson in lessons], length, lessons[0].words.padding)
    positions = _padded([lesson.positions for lesson in lessons], length, 0)
    pictures, questions = (
        _padded([getattr(lesson, branch) for lesson in lessons], length, -1) for branch in ("pictures", "questions")
    )
    targets = [(row, place, token) for row, lesson in enumerate(lessons) for place, token, _ in lesson.targets]
    told = [(row, place, which) for row, lesson in enumerate(lessons) for place, _, which in lesson.facts]
    kinds = [torch.tensor(lesson.words.facts[kind]) for lesson in lessons for _, kind, _ in lesson.facts]
    return Batch(
        ids=ids,
        positions=positions,
        visible=_tree(pictures, questions),
        rows=_table([(row, *place) for row, lesson in enumerate(lessons) for place in lesson.rows], 4),
        targets=_table(targets, 3),
        target_weights=torch.tensor([weight for lesson in lessons for _, _, weight in lesson.targets]),
        owners=_table([(row, *owner) for row, lesson in enumerate(lessons) for owner in lesson.owners], 3),
        candidates=_candidates(lessons),
        facts=_table(told, 3),
        fact_words=pad_sequence(kinds or [torch.tensor([-1])], batch_first=True, padding_value=-1)[: len(told)],
        gazes=_table([(hop, row, place) for row, lesson in enumerate(lessons) for hop, place, _ in lesson.gazes], 3),
        gaze_keys=_keys([keys for lesson in lessons for _, _, keys in lesson.gazes], length),
    )


def _padded(rows: Sequence[Sequence[int]], length: int, fill: int) -> Tensor:
    return torch.tensor([[*row, *[fill] * (length - len(row))] for row in rows])


def _table(rows: Sequence[tuple[int, ...]], width: int) -> Tensor:
    return torch.tensor(rows, dtype=torch.long).reshape(-1, width)


def _candidates(lessons: Sequence[Lesson]) -> Tensor:
    names = [[(lesson.words.nothing,), *lesson.names] for lesson in lessons]
    most, longest = max(map(len, names)), max(len(name) for one in names for name in one)
    table = torch.full((len(lessons), most, longest), -1)
    for row, one in enumerate(names):
        for number, name in enumerate(one):
            table[row, number, : len(name)] = torch.tensor(name)
    return table


def _keys(looked: Sequence[Sequence[int]], length: int) -> Tensor:
    wanted = torch.zeros(len(looked), length, dtype=torch.bool)
    rows = [row for row, keys in enumerate(looked) for _ in keys]
    wanted[rows, [key for keys in looked for key in keys]] = True
    return wanted


def _tree(pictures: Tensor, questions: Tensor) -> Tensor:
    """Let every token see what precedes it in the shared context and on its own branch."""
    causal = torch.ones(pictures.shape[1], pictures.shape[1], dtype=torch.bool).tril()
    seen = causal[None]
    for branch in (pictures, questions):
        seen = seen & ((branch[:, None, :] == -1) | (branch[:, None, :] == branch[:, :, None]))
    return seen[:, None]
