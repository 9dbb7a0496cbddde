"""Results -> tables of text: quality with intervals, splits, paired differences, thresholds, costs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import isnan

from ego.evaluation.metrics import recognition, sets
from ego.evaluation.metrics.bootstrap import Estimate, differences, estimates
from ego.evaluation.metrics.curves import Curve, curve, probabilities
from ego.evaluation.report.baseline import Baseline, find_baseline
from ego.evaluation.report.results import Cell, Results

COLUMNS = {
    "recognition": (
        *("f1", "precision", "recall", "macro_f1", "mean_concept_f1", "weighted_accuracy"),
        *("group_false_positive_rate", "yes_rate", "unparsable_rate"),
    ),
    "caption": ("recall", "precision", "set_f1", "false_name_rate", "repic_f1"),
    "choice": ("accuracy", "accuracy_swapped", "accuracy_both", "first_option_rate", "unparsable_rate"),
    "open": ("contains_answer", "judged_right", "character_bleu"),
}
SET_COLUMNS = ("set_balanced_accuracy", "set_recall", "set_negative_recall")
SPLIT_COLUMNS = {"recognition": ("f1", "accuracy_positive", "accuracy_negative")}
NOT_DEFINED = "–"


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        title: What it is about.
        columns: Headings; the first column names the row.
        rows: Cells.
        note: What to know when reading it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def all_tables(results: Results, *, against: str | None = None) -> list[Table]:
    """Make every table that the records allow.

    Raises:
        ConfigError: If there are no answers of `against`.
    """
    tables = []
    baseline = find_baseline(results.cells, against) if against is not None else None
    for task, kind in results.groups:
        tables.append(_quality(results, task, kind))
        tables += _differences(results, task, kind, baseline) if baseline else []
        tables += _splits(results, task, kind)
        if kind == "recognition":
            tables += [*_sets(results, task), *_thresholds(results, task), *_concepts(results, task)]
    return [*tables, _costs(results)]


def percent(estimate: Estimate) -> str:
    """Spell a share and its interval in percent."""
    if isnan(estimate.value):
        return NOT_DEFINED
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def heading(name: str) -> str:
    """Spell the name of a score."""
    return name.replace("_", " ").replace("f1", "F1")


def title_of(task: str, kind: str) -> str:
    """Name a group of questions."""
    return task.capitalize() if task == kind else f"{task.capitalize()}: {kind}"


def mixture(results: Results, task: str, kind: str) -> str:
    """Warn that figures over all questions mix several splits; say nothing where there is one."""
    splits = results.splits(task, kind)
    names = ", ".join(map(_split_name, splits))
    return f"Figures over all questions mix the splits {names}; they stand apart by split." if _several(splits) else ""


def _several(splits: Sequence[str]) -> bool:
    return len(splits) > 1


def _split_name(split: str) -> str:
    return split or "(none)"


def _quality(results: Results, task: str, kind: str) -> Table:
    rows = []
    for cell, found in results.scored[task, kind].items():
        count = len(results.answered(cell, task, kind))
        rows.append((cell.label, *(percent(found[name]) for name in COLUMNS[kind]), str(count)))
    columns = ("method", *map(heading, COLUMNS[kind]), "answers")
    note = f"Percent, with 95 % intervals (scenes resampled). {mixture(results, task, kind)}".rstrip()
    return Table(title_of(task, kind), columns, tuple(rows), note)


def _differences(results: Results, task: str, kind: str, baseline: Baseline) -> Iterator[Table]:
    """Compare with the baseline on the same scenes: the main score over all questions, then split by split."""
    main, splits = results.scorer(kind).main, results.splits(task, kind)
    title = f"{title_of(task, kind)}: difference from {baseline.label}"
    whole = [(cell.label, percent(gap[main])) for cell, _, gap in _gaps(results, task, kind, baseline, (None,))]
    if whole:
        note = f"{_difference_note(baseline)} {mixture(results, task, kind)}".rstrip()
        yield Table(title, ("method", heading(main)), tuple(whole), note)
    columns = SPLIT_COLUMNS.get(kind, (main,))
    parts = [
        (cell.label, _split_name(split or ""), *(percent(gap[name]) for name in columns))
        for cell, split, gap in _gaps(results, task, kind, baseline, splits if _several(splits) else ())
    ]
    if parts:
        headings = ("method", "split", *map(heading, columns))
        yield Table(f"{title} by split", headings, tuple(parts), _difference_note(baseline))


def _difference_note(baseline: Baseline) -> str:
    whom = f"{baseline.label} with as many views" if baseline.views is None else baseline.label
    return f"Points above {whom}, where both answered the same questions; an interval without 0 is a difference."


def _gaps(
    results: Results, task: str, kind: str, baseline: Baseline, splits: Sequence[str | None]
) -> Iterator[tuple[Cell, str | None, Mapping[str, Estimate]]]:
    """Estimate how much every other cell scores above the baseline, where both answered the same questions."""
    scorer = results.scorer(kind)
    others = [cell for cell in results.cells if cell != baseline.partner(cell)]
    for cell, split in product(others, splits):
        ours, theirs = (results.answered(one, task, kind, split) for one in (cell, baseline.partner(cell)))
        if ours and [sample.id for sample, _ in ours] == [sample.id for sample, _ in theirs]:
            tallies = [scorer.tally(answered, results.manifest) for answered in (ours, theirs)]
            yield cell, split, differences(tallies[0], tallies[1], scorer.scores)


def _splits(results: Results, task: str, kind: str) -> Iterator[Table]:
    splits = results.splits(task, kind)
    if not _several(splits):
        return
    scorer = results.scorer(kind)
    columns = SPLIT_COLUMNS.get(kind, (scorer.main,))
    rows = []
    for cell, split in product(results.cells, splits):
        answered = results.answered(cell, task, kind, split)
        found = estimates(scorer.tally(answered, results.manifest), scorer.scores)
        rows.append((cell.label, _split_name(split), *(percent(found[name]) for name in columns)))
    headings = ("method", "split", *map(heading, columns))
    yield Table(f"{title_of(task, kind)} by split", headings, tuple(rows))


def _sets(results: Results, task: str) -> Iterator[Table]:
    if not results.manifest.sets:
        return
    rows = []
    for cell in results.cells:
        answered = results.answered(cell, task, "recognition")
        found = estimates(sets.tally(answered, results.manifest), sets.scores)
        rows.append((cell.label, *(percent(found[name]) for name in SET_COLUMNS)))
    note = "A set counts as found only if all its members are."
    yield Table("Recognition of sets", ("method", *map(heading, SET_COLUMNS)), tuple(rows), note)


def _thresholds(results: Results, task: str) -> Iterator[Table]:
    curves = [(cell, curve(*probabilities(results.answered(cell, task, "recognition")))) for cell in results.cells]
    rows = [_threshold_row(cell, found) for cell, found in curves if found]
    if rows:
        columns = ("method", "area under ROC", "best F1", "at threshold", "expected calibration error")
        note = "The best F1 is chosen on these same answers: an upper bound, not a result."
        yield Table(f"{title_of(task, 'recognition')}: thresholds", columns, tuple(rows), note)


def _threshold_row(cell: Cell, found: Curve) -> tuple[str, ...]:
    shares = (found.area, found.best_f1, found.best_threshold, found.calibration_error)
    area, best_f1, threshold, error = (f"{share:.3f}" for share in shares)
    return cell.label, area, best_f1, threshold, error


def _concepts(results: Results, task: str) -> Iterator[Table]:
    """F1 of every concept, a column for every method."""
    cells = [cell for cell in results.cells if results.answered(cell, task, "recognition")]
    totals = [recognition.tally(results.answered(c, task, "recognition"), results.manifest).sum(0) for c in cells]
    each = [recognition.by_concept(total, results.manifest) for total in totals]
    keys = [subject.key for subject in results.manifest.subjects]
    rows = [_concept_row(key, [scores[key]["f1"] for scores in each]) for key in keys]
    if rows:
        title = f"{title_of(task, 'recognition')}: F1 by concept"
        yield Table(title, ("concept", *(cell.label for cell in cells)), tuple(rows))


def _concept_row(key: str, values: Sequence[float]) -> tuple[str, ...]:
    return (key, *(NOT_DEFINED if isnan(value) else f"{100 * value:.1f}" for value in values))


def _costs(results: Results) -> Table:
    rows = []
    for cell in results.cells:
        cost = results.cost(cell)
        spelled = (f"{cost['introduction_seconds']:.3f}", f"{cost['memory_tokens']:.1f}")
        asked = (f"{cost['query_seconds']:.4f}", f"{cost['context_tokens']:.1f}", f"{cost['failed']:.0f}")
        rows.append((cell.label, *spelled, *asked))
    columns = (
        *("method", "introduction, s (median)", "memory tokens", "query, s (mean)", "context tokens per query"),
        "not introduced",
    )
    note = (
        "On the machine of the run. An introduction is one concept, all its views. A query is the mean over answers, "
        "so work that several questions about a picture share is in it. Tokens are means."
    )
    return Table("Costs", columns, tuple(tuple(_dash(text) for text in row) for row in rows), note)


def _dash(text: str) -> str:
    return NOT_DEFINED if text == "nan" else text
