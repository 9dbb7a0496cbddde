"""Of many views, the few that show most."""

from dataclasses import replace

import pytest
import torch

from ego.best_views import best_views
from ego.errors import InputError
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
