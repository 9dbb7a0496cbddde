"""Small hand-made memories for tests of pure modules."""

import torch
from torch import Tensor

from ego.memory import ConceptMemory, Fingerprint, ViewRecord
from ego.visual_tokens import VisualTokens

FINGERPRINT = Fingerprint(
    model_id="tiny",
    revision="",
    model_type="internvl",
    dim=2,
    weights="a" * 64,
    processor="b" * 64,
    transformers="5.23.0",
)

RECORD = ViewRecord(
    image="c" * 64,
    size=(40, 20),
    description="A red cup.",
    description_by="model",
    keywords=("A", "red", "cup"),
    keyword_positions=(0, 1, 2),
    area_answer="50",
    area_percent=50.0,
    size_rule="50 % of 4 = 2, within 1..2",
    selector="attention",
    candidates=4,
    kept=(1, 3),
    boxes=((0, 0, 0.5, 0.5), (0.5, 0, 1, 0.5), (0, 0.5, 0.5, 1), (0.5, 0.5, 1, 1)),
    importance=(0.0, 1.0, 0.0, 0.5),
    layers=(2,),
    seconds=0.1,
)


def tokens_of(rows: Tensor) -> VisualTokens:
    """Visual tokens with these features and no geometry."""
    count = len(rows)
    return VisualTokens(
        rows=rows,
        deepstack=rows.new_zeros(0, count, rows.shape[1]),
        boxes=None,
        view=torch.zeros(count, dtype=torch.long),
        spatial=torch.ones(count, dtype=torch.bool),
    )


def memory_of(name: str, rows: Tensor | None = None) -> ConceptMemory:
    """A memory with these rows."""
    return ConceptMemory(
        name=name,
        category="",
        notes="",
        tokens=tokens_of(torch.eye(2) if rows is None else rows),
        views=(RECORD,),
        fingerprint=FINGERPRINT,
        created="2026-01-01T00:00:00+00:00",
    )
