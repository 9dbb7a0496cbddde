"""What a demonstration found, and how much of it was right."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """One concept in one scene: expected (None: nobody knows; likely: nobody said so) and found."""

    scene: str
    concept: str
    expected: bool | None
    found: bool
    probability: float
    likely: bool = False

    @property
    def right(self) -> bool | None:
        """Whether the model was right; None when nobody knows."""
        return None if self.expected is None else self.expected == self.found


@dataclass(frozen=True)
class Watched:
    """One concept in one clip: the seconds of its presence (None: absent), and those at which it was seen."""

    clip: str
    concept: str
    expected: tuple[float, float] | None
    found: bool
    probability: float
    seen_at: tuple[float, ...]

    @property
    def right(self) -> bool:
        """Whether it was seen while it was there, and at no other time."""
        if self.expected is None:
            return not self.found
        begin, end = self.expected
        return self.found and all(begin <= second <= end for second in self.seen_at)


@dataclass(frozen=True)
class Asked:
    """One question and its answer; right when the answer holds the expected word."""

    scene: str
    question: str
    expected: str
    answer: str
    right: bool


@dataclass(frozen=True)
class Captioned:
    """One caption, the names it should say (None: nobody knows; not complete: others are likely wrong) and says."""

    scene: str
    caption: str
    expected: tuple[str, ...] | None
    said: tuple[str, ...]
    complete: bool = True

    @property
    def right(self) -> bool | None:
        """Whether exactly the expected names are said; None when nobody knows."""
        return None if self.expected is None else set(self.expected) == set(self.said)


@dataclass(frozen=True)
class Outcome:
    """Everything a demonstration found, in the order it was looked at."""

    seen: tuple[Seen, ...]
    asked: tuple[Asked, ...]
    captioned: tuple[Captioned, ...]
    watched: tuple[Watched, ...] = ()


@dataclass(frozen=True)
class Score:
    """How many of the judged ones are right."""

    what: str
    right: int
    wrong: int


def spoken(seconds: Sequence[float]) -> str:
    """Say at which seconds something was seen: the first and the last."""
    first, last = (f"{second:.1f}" for second in (min(seconds), max(seconds))) if seconds else ("", "")
    return f"{first} s" if first == last else f"{first} to {last} s"


def scores(outcome: Outcome) -> tuple[Score, ...]:
    """Count right and wrong; what nobody can judge is not counted, and a row of nothing is left out."""
    present = [one.right for one in outcome.seen if one.expected]
    absent = [one.right for one in outcome.seen if one.expected is False and not one.likely]
    elsewhere = [one.right for one in outcome.seen if one.expected is False and one.likely]
    exact = [one.right for one in outcome.captioned if one.complete]
    likely = [one.right for one in outcome.captioned if not one.complete]
    rows = (
        _count("concept is there: says yes", present),
        _count("concept is not there: says no", absent),
        _count("photo of another thing: says no (unless it shows both)", elsewhere),
        _count("clip: says who is there, and when", [one.right for one in outcome.watched]),
        _count("question answered", [one.right for one in outcome.asked]),
        _count("caption says exactly the names", exact),
        _count("caption says its name only (unless it shows both)", likely),
    )
    return tuple(row for row in rows if row.right + row.wrong)


def _count(what: str, verdicts: Sequence[bool | None]) -> Score:
    return Score(what, verdicts.count(True), verdicts.count(False))
