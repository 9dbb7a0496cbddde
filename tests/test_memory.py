"""Memories: renaming, adding views, and the model they belong to."""

from dataclasses import replace

import pytest
import torch

from ego.errors import ForeignMemoryError, InputError
from tests.examples_of_memories import FINGERPRINT, RECORD, memory_of


def test_a_renamed_memory_keeps_everything_else() -> None:
    memory = memory_of("cup")
    renamed = memory.renamed("mug")
    assert (memory.name, renamed.name) == ("cup", "mug")
    assert renamed.tokens is memory.tokens


def test_views_are_added_behind() -> None:
    both = memory_of("cup", torch.zeros(2, 2)).with_views_of(memory_of("x", torch.ones(2, 2)))
    assert both.name == "cup"
    assert both.tokens.rows.tolist() == [[0, 0], [0, 0], [1, 1], [1, 1]]
    assert both.views == (RECORD, RECORD)


@pytest.mark.parametrize(("gone", "left"), [(0, 1), (1, 0)])
def test_a_view_goes_with_its_rows(gone: int, left: int) -> None:
    both = memory_of("cup", torch.zeros(2, 2)).with_views_of(memory_of("x", torch.ones(2, 2)))
    rest = both.without_view(gone)
    assert rest.tokens.rows.tolist() == [[left, left]] * 2
    assert rest.views == (RECORD,)


@pytest.mark.parametrize(
    ("field", "value"), [("weights", "f" * 64), ("processor", "f" * 64), ("model_type", "other"), ("dim", 3)]
)
def test_a_model_that_cannot_read_the_rows_is_refused(field: str, value: object) -> None:
    memory = memory_of("cup")
    other = FINGERPRINT.model_copy(update={field: value, "model_id": "other/model"})
    with pytest.raises(ForeignMemoryError, match=r"'cup' was made with tiny .* not other/model .* introduce it again"):
        memory.require(other)
    with pytest.raises(ForeignMemoryError):
        memory.with_views_of(replace(memory, fingerprint=other))


@pytest.mark.parametrize("field", ["model_id", "revision", "transformers"])
def test_the_same_weights_under_another_name_are_accepted(field: str) -> None:
    memory_of("cup").require(FINGERPRINT.model_copy(update={field: "something else"}))


def test_rows_move_and_bookkeeping_stays() -> None:
    moved = memory_of("cup").on(torch.float16)
    assert moved.tokens.rows.dtype == torch.float16
    assert moved.tokens.view.dtype == torch.int64


@pytest.mark.parametrize(
    ("view", "message"), [(1, "view 1 is none of them"), (-1, "none of them"), (0, "all that is known")]
)
def test_a_view_that_cannot_go_is_refused(view: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        memory_of("cup").without_view(view)
