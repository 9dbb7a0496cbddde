"""Ask the index: in which pictures is Bo, with Ted, without Ada, since spring? No model is loaded."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ego.album.index import AlbumIndex, Box, Entry, Find
from ego.album.picture_file import Kind
from ego.corrections import Corrections, log_odds, logistic, shift
from ego.errors import InputError, UnknownConceptError
from ego.thresholds import learnt_thresholds


@dataclass(frozen=True)
class Seen:
    """One concept in one picture: how sure, where (fractions left top right bottom), at which seconds of a clip."""

    name: str
    probability: float
    box: Box | None
    moments: tuple[float, ...]


@dataclass(frozen=True)
class Match:
    """A picture that answers a question.

    Attributes:
        path: Absolute path.
        kind: Image or video.
        taken: When, ISO 8601; empty if unknown.
        seen: Every concept that is in it.
    """

    path: str
    kind: Kind
    taken: str
    seen: tuple[Seen, ...]


@dataclass(frozen=True)
class Question:
    """What is looked for.

    Attributes:
        names: Concepts that are all there; none: any concept.
        without: Concepts that are not.
        since: First day.
        until: Last day.
        threshold: Probability from which every concept counts as there, whatever was learnt; None: the one learnt for
            it (`ego tune-threshold --save`), else `otherwise`.
        otherwise: The same for concepts of which nothing was learnt.
    """

    names: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    threshold: float | None = None
    otherwise: float = 0.5


def find(index: AlbumIndex, question: Question) -> list[Match]:
    """Answer from the index, by time, then by path.

    Raises:
        InputError: If nothing was scanned yet.
        UnknownConceptError: If a name is none of the index.
    """
    if not index.exists:
        raise InputError(f"no album was scanned into {index.path.parent} yet; `ego scan FOLDER` does it")
    names = index.names()
    heard = _Heard(Corrections(index.path.parent), index.model(), names)
    limits = _limits(index.path.parent, names, question)
    wanted, unwanted = ({_known(name, names) for name in asked} for asked in (question.names, question.without))
    matches = (_match(entry, names, heard, limits) for entry in index.entries() if not entry.problem)
    chosen = [match for match in matches if _answers(match, wanted, unwanted, question)]
    return sorted(chosen, key=lambda match: (match.taken, match.path))


def _limits(library: Path, names: Iterable[str], question: Question) -> dict[str, float]:
    """From which probability each concept counts as there."""
    if question.threshold is not None:
        return dict.fromkeys(names, question.threshold)
    return dict.fromkeys(names, question.otherwise) | learnt_thresholds(library)


def _known(wanted: str, names: Mapping[str, str]) -> str:
    for name in names.values():
        if name.casefold() == wanted.casefold():
            return name
    similar = difflib.get_close_matches(wanted, names.values(), n=1)
    hint = f"did you mean {similar[0]!r}?" if similar else f"it knows: {', '.join(names.values()) or 'nobody'}"
    raise UnknownConceptError(f"the album was not scanned for {wanted!r}; {hint}")


class _Heard:
    """What the user said, looked up quickly: a shift for each concept, and a word for each picture."""

    def __init__(self, corrections: Corrections, model: str, names: Iterable[str]) -> None:
        self._shifts = {concept: shift(corrections.of(concept, model)) for concept in names}
        self._told = {(one.concept, one.path): one.there for one in corrections.all() if one.path}

    def probability(self, find: Find, path: str) -> float:
        """Correct the probability of a find."""
        told = self._told.get((find.concept, path))
        if told is not None:
            return float(told)
        moved = self._shifts.get(find.concept, 0.0)
        return logistic(log_odds(find.probability) + moved) if moved else find.probability


def _match(entry: Entry, names: Mapping[str, str], heard: _Heard, limits: Mapping[str, float]) -> Match:
    seen = [
        Seen(names[find.concept], probability, find.box, find.moments)
        for find in entry.finds.values()
        if find.concept in names and (probability := heard.probability(find, entry.path)) >= limits[find.concept]
    ]
    return Match(entry.path, entry.kind, entry.taken, tuple(sorted(seen, key=lambda one: -one.probability)))


def _answers(match: Match, wanted: set[str], unwanted: set[str], question: Question) -> bool:
    there = {one.name for one in match.seen}
    if not there or not wanted <= there or unwanted & there:
        return False
    return _in_time(match.taken, question.since, question.until)


def _in_time(taken: str, since: date | None, until: date | None) -> bool:
    if since is None and until is None:
        return True
    day = taken[:10]
    return bool(day) and (since is None or day >= since.isoformat()) and (until is None or day <= until.isoformat())


def counts(matches: Sequence[Match]) -> dict[str, int]:
    """Count the pictures of each concept, most frequent first."""
    total: dict[str, int] = {}
    for match in matches:
        for one in match.seen:
            total[one.name] = total.get(one.name, 0) + 1
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
