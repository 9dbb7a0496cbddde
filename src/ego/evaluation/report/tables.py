"""Results -> tables of text: quality with intervals, splits, paired differences, thresholds, costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

from ego.evaluation.metrics import recognition, sets
from ego.evaluation.metrics.bootstrap import Estimate, differences, estimates
from ego.evaluation.metrics.curves import Curve, curve, probabilities
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
    """Make every table that the records allow."""
    tables = []
    for task, kind in results.groups:
        tables.append(_quality(results, task, kind))
        tables += _differences(results, task, kind, against) if against else []
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


def _quality(results: Results, task: str, kind: str) -> Table:
    rows = []
    for cell, found in results.scored[task, kind].items():
        count = len(results.answered(cell, task, kind))
        rows.append((cell.label, *(percent(found[name]) for name in COLUMNS[kind]), str(count)))
    columns = ("method", *map(heading, COLUMNS[kind]), "answers")
    note = "Percent, with 95 % intervals (scenes resampled)."
    return Table(title_of(task, kind), columns, tuple(rows), note)


def _differences(results: Results, task: str, kind: str, against: str) -> Iterator[Table]:
    """Compare the main score with that of one method, on the same scenes."""
    scorer, rows = results.scorer(kind), []
    for cell in results.cells:
        ours = results.answered(cell, task, kind)
        theirs = results.answered(Cell(against, cell.views), task, kind)
        same = [sample.id for sample, _ in ours] == [sample.id for sample, _ in theirs]
        if cell.method != against and ours and same:
            tallies = [scorer.tally(answered, results.manifest) for answered in (ours, theirs)]
            gap = differences(tallies[0], tallies[1], scorer.scores)[scorer.main]
            rows.append((cell.label, percent(gap)))
    if rows:
        note = f"Points above {against} with as many views; an interval without 0 is a difference."
        title = f"{title_of(task, kind)}: difference from {against}"
        yield Table(title, ("method", heading(scorer.main)), tuple(rows), note)


def _splits(results: Results, task: str, kind: str) -> Iterator[Table]:
    names = list(dict.fromkeys(s.split for cell in results.cells for s, _ in results.answered(cell, task, kind)))
    if len(names) < len(("one", "other")):
        return
    scorer = results.scorer(kind)
    columns = SPLIT_COLUMNS.get(kind, (scorer.main,))
    rows = []
    for cell in results.cells:
        for split in names:
            answered = results.answered(cell, task, kind, split)
            found = estimates(scorer.tally(answered, results.manifest), scorer.scores)
            rows.append((cell.label, split or "(none)", *(percent(found[name]) for name in columns)))
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
    columns = ("method", "introduction, s", "memory tokens", "query, s", "context tokens per query", "not introduced")
    note = "Median seconds on the machine of the run, mean tokens; an introduction is one concept, all its views."
    return Table("Costs", columns, tuple(tuple(_dash(text) for text in row) for row in rows), note)


def _dash(text: str) -> str:
    return NOT_DEFINED if text == "nan" else text
