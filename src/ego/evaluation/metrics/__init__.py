"""Score records: one file per kind of question, each a tally per scene and scores of a summed tally.

`bootstrap` resamples scenes and sums tallies, so every score gets a confidence interval the same way.
"""

from collections.abc import Sequence

from ego.evaluation.manifest import Sample
from ego.evaluation.records import Record

Answered = Sequence[tuple[Sample, Record]]

__all__ = ["Answered"]
