"""Tables and plots -> one Markdown and one HTML page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader

from ego.evaluation.report.examples import Example, Examples
from ego.evaluation.report.meanings import INTERVAL, MEANINGS
from ego.evaluation.report.results import Results
from ego.evaluation.report.tables import Table, mixture, title_of


@dataclass(frozen=True)
class Parts:
    """What a report is made of."""

    verdict: tuple[str, ...]
    tables: tuple[Table, ...]
    examples: tuple[Examples, ...]
    plots: tuple[Path, ...]

    @property
    def meanings(self) -> dict[str, str]:
        """What the columns that appear mean."""
        columns = [column for table in self.tables for column in table.columns]
        return {column: MEANINGS[column] for column in dict.fromkeys(columns) if column in MEANINGS}


def as_markdown(results: Results, parts: Parts) -> str:
    """Write Markdown."""
    text = [f"# {title(results)}", *parts.verdict, "\n".join(f"- {fact}" for fact in facts(results))]
    for table in parts.tables:
        text += [f"## {table.title}", _markdown_table(table), *([table.note] if table.note else [])]
    for shown in parts.examples:
        text += [f"## {shown.title}", *(_markdown_example(example) for example in shown.examples)]
    text += ["## Plots", *(f"![{plot.stem}](plots/{plot.name})" for plot in parts.plots)]
    meanings = "\n".join(f"- **{column}**: {meaning}" for column, meaning in parts.meanings.items())
    return "\n\n".join([*text, "## What the columns mean", INTERVAL, meanings]) + "\n"


def as_html(results: Results, parts: Parts) -> str:
    """Write HTML; everything that comes from data is escaped."""
    page = Environment(loader=PackageLoader("ego.evaluation.report", "."), autoescape=True).get_template("page.html")
    return page.render(
        title=title(results), facts=list(facts(results)), parts=parts, meanings=MEANINGS, interval=INTERVAL
    )


def title(results: Results) -> str:
    """Name the run."""
    return f"{results.manifest.dataset} with {results.run.model}"


def facts(results: Results) -> Iterator[str]:
    """Say what a reader needs to know before believing a number."""
    run = results.run
    yield f"{len(results.manifest.subjects)} concepts, {len(results.records)} answers"
    yield f"scenes per task: {run.limit or 'all'}"
    yield f"memories in the prompt: {'those the sample names' if run.known == 'sample' else 'all of the data set'}"
    yield "answers are read as text (yes or no); probabilities are used in the tables on thresholds only"
    yield "versions: " + ", ".join(f"{name} {version}" for name, version in run.versions.items())
    changed = run.config.model_dump(exclude_defaults=True)
    yield f"settings that differ from the defaults: {changed or 'none'}"
    for method, needs in run.needs.items():
        yield f"{method} rests on other models: {'; '.join(needs)}"
    for method, reason in run.not_run.items():
        yield f"NOT RUN: {method}: {reason}"
    yield from results.manifest.notes
    yield from (f"{title_of(*group)}: {warning}" for group in results.groups if (warning := mixture(results, *group)))
    yield from _few_references(results)
    yield from _judging(results)
    for cell in results.cells:
        if missing := _missing(results, cell.method, cell.views):
            yield f"UNFINISHED: {cell.label} lacks {missing} questions that other methods answered"


def _few_references(results: Results) -> Iterator[str]:
    """Say where "v views" are fewer than v."""
    subjects = results.manifest.subjects
    for views in sorted({cell.views for cell in results.cells}):
        if few := sum(len(subject.references) < views for subject in subjects):
            yield f"{few} of {len(subjects)} concepts have fewer than {views} references; all that they have are used"


def _judging(results: Results) -> Iterator[str]:
    """Say who judged the open answers, and what is missing."""
    judge, right = results.verdicts.judge, results.verdicts.right
    if not judge:
        return
    keys = [record.key for record in results.judgeable]
    unreadable = sum(key in right and right[key] is None for key in keys)
    yield f"open answers judged by {judge}; {unreadable} unreadable, counted as wrong until judged again"
    if missing := sum(key not in right for key in keys):
        yield f"UNFINISHED: {judge} has not judged {missing} open answers; they are in no share of judged answers"


def _missing(results: Results, method: str, views: int) -> int:
    """Count questions that some other method answered and this one did not."""
    asked = {(record.sample, record.swapped) for record in results.records}
    mine = {(r.sample, r.swapped) for r in results.records if (r.method, r.views) == (method, views)}
    return len(asked - mine)


def _markdown_example(example: Example) -> str:
    mark = "right" if example.right else "wrong"
    said = f"{example.asked} {example.said} ({mark}; expected: {example.expected})"
    return f"![{mark}]({example.picture}) {said}".replace("\n", " ")


def _markdown_table(table: Table) -> str:
    rows = [table.columns, ("---",) * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
