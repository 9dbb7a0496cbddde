"""The finds of an album that are least certain: what is worth a yes or no of the user, the most doubtful first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ego.album.find import Question, find
from ego.album.index import AlbumIndex, Box
from ego.corrections import log_odds

LEAST_DOUBTED, MOST_SURE = 0.2, 0.8  # probabilities between which a find is uncertain


@dataclass(frozen=True)
class Doubt:
    """An uncertain find.

    Attributes:
        path: The photo.
        name: The concept.
        probability: Of being there, as corrected so far.
        box: Where, as fractions left top right bottom; None if not known.
    """

    path: str
    name: str
    probability: float
    box: Box | None = None


def doubts(index: AlbumIndex, *, low: float = LEAST_DOUBTED, high: float = MOST_SURE) -> Sequence[Doubt]:
    """List the photos of which it is least certain that a concept is there, nearest to even odds first.

    Clips are left out, for a correction is of one picture; so are photos that left their place.

    Args:
        index: Of the album; what was corrected already is certain.
        low: Probability below which nothing is in doubt.
        high: Probability above which nothing is.

    Raises:
        InputError: If nothing was scanned yet.
    """
    found = [
        Doubt(match.path, one.name, one.probability, one.box)
        for match in find(index, Question(threshold=low))
        if match.kind == "image" and Path(match.path).is_file()
        for one in match.seen
        if one.probability <= high
    ]
    return sorted(found, key=lambda one: (abs(log_odds(one.probability)), one.path, one.name))
