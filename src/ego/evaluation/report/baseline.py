"""`METHOD` or `METHOD:VIEWS` -> the row of a table that the others are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

from ego.errors import ConfigError
from ego.evaluation.report.results import Cell


@dataclass(frozen=True)
class Baseline:
    """What others are compared with.

    Attributes:
        method: Name of the method.
        views: Its number of reference images; None: as many as the one that is compared.
    """

    method: str
    views: int | None = None

    @property
    def label(self) -> str:
        """How titles call it."""
        return self.method if self.views is None else Cell(self.method, self.views).label

    def partner(self, cell: Cell) -> Cell:
        """Find what a cell is compared with; itself if it is the baseline."""
        return Cell(self.method, cell.views if self.views is None else self.views)


def find_baseline(cells: Sequence[Cell], against: str) -> Baseline:
    """Read what the user wants to compare with.

    Args:
        cells: Rows that have answers.
        against: METHOD (compared where the number of views is the same) or METHOD:VIEWS (compared with every row).

    Raises:
        ConfigError: If it has no answers.
    """
    named = {f"{cell.method}:{cell.views}": Baseline(cell.method, cell.views) for cell in cells}
    baselines = {cell.method: Baseline(cell.method) for cell in cells} | named
    if against not in baselines:
        there = ", ".join(named) or "none at all"
        raise ConfigError(
            f"there are no answers of {against!r} to compare with; choose METHOD or METHOD:VIEWS of {there}"
        )
    return baselines[against]
