"""Frames of a video, asked about group by group -> what was seen, and when.

A model that sees many frames at once overlooks what it recognises in one of them: the embedded model gives ten equal
frames of an introduction photo 0.01, and one of them 0.98.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from ego.media.picture import Frame
from ego.results import Recognition


def groups(frames: Sequence[Frame], together: int) -> list[tuple[Frame, ...]]:
    """Cut frames into groups of neighbours that are shown to the model at once, as equal as can be."""
    count = -(-len(frames) // together)
    edges = [round(number * len(frames) / count) for number in range(count + 1)] if count else []
    return [tuple(frames[first:last]) for first, last in pairwise(edges)]


def over_time(found: Sequence[Mapping[str, Recognition]], watched: Sequence[Sequence[Frame]]) -> dict[str, Recognition]:
    """Join what was recognised in each group: a concept is in a video if it is in one of the groups.

    Args:
        found: For each group, what was recognised.
        watched: The groups.

    Returns:
        For each concept the surest answer, with the seconds at which it was seen.
    """
    names = dict.fromkeys(name for one in found for name in one)
    return {name: _joined([one.get(name) for one in found], watched) for name in names}


def _joined(answers: Sequence[Recognition | None], watched: Sequence[Sequence[Frame]]) -> Recognition:
    surest = max((one for one in answers if one is not None), key=_certainty)
    moments = [
        frame.seconds
        for one, frames in zip(answers, watched, strict=True)
        for frame in frames
        if one is not None and one.present and frame.seconds is not None
    ]
    return replace(surest, seen_at=tuple(moments))


def _certainty(one: Recognition) -> tuple[bool, float]:
    return one.said != "not asked", one.probability
