"""What could not be used while data was read: left out, counted and listed, so that one bad item costs only itself."""

from pydantic import ValidationError

LISTED = 10  # items of one kind that a note names


class LeftOut:
    """Collects what was left out, by reason."""

    def __init__(self) -> None:
        self._items: dict[str, list[str]] = {}

    def add(self, reason: str, item: str) -> None:
        """Note that an item was left out."""
        self._items.setdefault(reason, []).append(item.encode(errors="replace").decode())  # names may be any bytes

    def count(self, reason: str) -> int:
        """How many items were left out for a reason."""
        return len(self._items.get(reason, ()))

    @property
    def notes(self) -> tuple[str, ...]:
        """One line for each reason, with the number of items and the first of them."""
        return tuple(f"{len(items)} left out, {reason}: {_listed(items)}" for reason, items in self._items.items())


def first_problem(error: ValidationError) -> str:
    """Say the first thing that is wrong with an entry, and where in it."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ").replace("Field required", "is missing")
    return f"{place}: {message}" if place else message


def _listed(items: list[str]) -> str:
    more = len(items) - LISTED
    return ", ".join(items[:LISTED]) + (f" and {more} more" if more > 0 else "")
