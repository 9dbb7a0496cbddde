"""Memories of realistic size with random rows, for measuring what it costs to keep many."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import torch

from ego.memory import ConceptMemory, Fingerprint, ViewRecord
from ego.visual_tokens import VisualTokens

DIM = 256
ROWS = 16
CANDIDATES = 144
_GRID = 12
FINGERPRINT = Fingerprint(
    model_id="random",
    revision="",
    model_type="random",
    dim=DIM,
    weights="a" * 64,
    processor="b" * 64,
    transformers="",
)
_BOXES = tuple(
    (column / _GRID, row / _GRID, (column + 1) / _GRID, (row + 1) / _GRID)
    for row in range(_GRID)
    for column in range(_GRID)
)


def stored_memories(count: int, seed: int = 0) -> Iterator[ConceptMemory]:
    """Make memories of one model, told by number ("thing 0", ...), a second apart."""
    generator, first = torch.Generator().manual_seed(seed), datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        kept = torch.randperm(CANDIDATES, generator=generator)[:ROWS].sort().values
        yield ConceptMemory(
            name=f"thing {number}",
            category="",
            notes="",
            tokens=_tokens(torch.randn(ROWS, DIM, generator=generator).bfloat16(), kept),
            views=(_record(number, kept.tolist(), torch.rand(CANDIDATES, generator=generator).tolist()),),
            fingerprint=FINGERPRINT,
            created=(first + timedelta(seconds=number)).isoformat(timespec="microseconds"),
        )


def _tokens(rows: torch.Tensor, kept: torch.Tensor) -> VisualTokens:
    return VisualTokens(
        rows=rows,
        deepstack=rows.new_zeros(0, *rows.shape),
        boxes=torch.tensor(_BOXES)[kept],
        view=torch.zeros(len(rows), dtype=torch.long),
        spatial=torch.ones(len(rows), dtype=torch.bool),
    )


def _record(number: int, kept: list[int], importance: list[float]) -> ViewRecord:
    return ViewRecord(
        image=f"{number:064x}",
        size=(640, 480),
        description="a small thing on a table",
        description_by="model",
        keywords=("small", "thing", "table"),
        keyword_positions=(1, 2, 5),
        area_answer="11",
        area_percent=11.0,
        size_rule=f"11 % of {CANDIDATES} = {ROWS}",
        selector="attention",
        candidates=CANDIDATES,
        kept=tuple(kept),
        boxes=_BOXES,
        importance=tuple(importance),
        layers=(3, 4),
        seconds=0.1,
    )
