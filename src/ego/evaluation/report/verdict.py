"""What a run says, in words: which method is best, how good it is, and whether that is more than chance."""

from collections.abc import Iterator
from math import isnan

from ego.evaluation.metrics.bootstrap import Estimate, differences
from ego.evaluation.report.results import Cell, Results
from ego.evaluation.report.tables import heading, percent, title_of

MOST_RIVALS = 4  # that are compared with the best in words


def verdict(results: Results) -> Iterator[str]:
    """Yield one paragraph for each kind of question, in plain text."""
    for task, kind in results.groups:
        main = results.scorer(kind).main
        scored = {cell: found for cell, found in results.scored[task, kind].items() if not isnan(found[main].value)}
        ranked = sorted(scored, key=lambda cell: -scored[cell][main].value)
        if not ranked:
            yield f"{title_of(task, kind)}: nothing can be said, {heading(main)} is not defined for any method."
            continue
        best = ranked[0]
        count = len(results.answered(best, task, kind))
        parts = [f"{title_of(task, kind)}: {_best(best, len(ranked))} {heading(main)} {percent(scored[best][main])} %."]
        parts += _in_pictures(scored[best]) if kind == "recognition" else []
        parts += [_against(results, task, kind, best, other) for other in ranked[1 : 1 + MOST_RIVALS]]
        yield " ".join([*parts, f"({count} answers of {best.label}.)"])


def best_of(results: Results, task: str, kind: str) -> Cell | None:
    """Find the method with the highest main score; None if it is not defined for any."""
    main = results.scorer(kind).main
    scored = {cell: found[main].value for cell, found in results.scored[task, kind].items()}
    defined = {cell: value for cell, value in scored.items() if not isnan(value)}
    return max(defined, key=lambda cell: defined[cell]) if defined else None


def _best(cell: Cell, count: int) -> str:
    return f"best is {cell.label}, with" if count > 1 else f"{cell.label} has"


def _in_pictures(found: dict[str, Estimate]) -> list[str]:
    """Say F1 in pictures."""
    there, absent = found["accuracy_positive"].value, found["accuracy_negative"].value
    said = [f"of 100 pictures with the thing, it finds it in {100 * there:.0f}"] if not isnan(there) else []
    said += [f"of 100 without it, it says so of {100 * absent:.0f}"] if not isnan(absent) else []
    sentence = "; ".join(said)
    return [f"{sentence[0].upper()}{sentence[1:]}."] if sentence else []


def _against(results: Results, task: str, kind: str, best: Cell, other: Cell) -> str:
    scorer = results.scorer(kind)
    ours, theirs = (results.answered(cell, task, kind) for cell in (best, other))
    if [sample.id for sample, _ in ours] != [sample.id for sample, _ in theirs]:
        return f"{other.label} did not answer the same questions."
    tallies = [scorer.tally(answered, results.manifest) for answered in (ours, theirs)]
    gap = differences(tallies[0], tallies[1], scorer.scores)[scorer.main]
    if gap.low > 0:
        return f"That is {percent(gap)} points more than {other.label}."
    return f"It cannot be told from {other.label} (difference {percent(gap)} points)."
