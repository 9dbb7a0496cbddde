"""Of many views, the few that show most."""

from dataclasses import replace

import pytest
import torch

from ego.best_views import best_additions, best_views
from ego.errors import InputError
from ego.memory import ConceptMemory
from ego.memory_file import dump, load
from tests.examples_of_memories import RECORD, memory_of, tokens_of


def test_the_middle_comes_first_then_what_differs_most() -> None:
    directions = torch.tensor([[1.0, 0.0], [0.9, 0.1], [1.0, 0.05], [0.0, 1.0], [0.95, 0.0]])
    rows = torch.cat([direction.expand(2, 2) for direction in directions])
    views = tuple(RECORD.model_copy(update={"image": f"{number}" * 64}) for number in range(5))
    memory = replace(memory_of("Bo"), tokens=tokens_of(rows), views=views)
    two = best_views(memory, 2)
    assert [view.image[0] for view in two.views] == ["1", "3"]
    assert torch.equal(two.tokens.rows, torch.cat([rows[2:4], rows[6:8]]))
    assert len(load(dump(two)).views) == 2
    assert best_views(memory, 5) is memory
    with pytest.raises(InputError, match="keep 1 or more"):
        best_views(memory, 0)


def test_of_new_views_those_are_added_that_are_least_like_what_is_known() -> None:
    def with_views(*directions: tuple[float, float]) -> ConceptMemory:
        rows = torch.cat([torch.tensor(direction).expand(2, 2) for direction in directions])
        views = tuple(RECORD.model_copy(update={"image": f"{number}" * 64}) for number in range(len(directions)))
        return replace(memory_of("Bo"), tokens=tokens_of(rows), views=views)

    known, more = with_views((1.0, 0.0)), with_views((0.9, 0.1), (0.0, 1.0), (0.1, 0.9), (-1.0, 0.0))
    assert [view.image[0] for view in best_additions(known, more, 1).views] == ["3"]
    assert [view.image[0] for view in best_additions(known, more, 2).views] == ["1", "3"]
    assert best_additions(known, more, 4) is more
    with pytest.raises(InputError, match="keep 1 or more"):
        best_additions(known, more, 0)
