"""Records -> a verdict in words, tables with confidence intervals, examples and plots, as Markdown and HTML."""

from pathlib import Path

from ego.evaluation.report.examples import draw_examples
from ego.evaluation.report.plots import draw_all
from ego.evaluation.report.render import Parts, as_html, as_markdown
from ego.evaluation.report.results import load_results
from ego.evaluation.report.tables import all_tables
from ego.evaluation.report.verdict import verdict


def write_report(out: Path, *, against: str | None = None, judge: str | None = None) -> tuple[Path, Path]:
    """Write `report.md` and `report.html` into the folder of a run.

    Args:
        out: Folder that `ego eval` filled.
        against: METHOD or METHOD:VIEWS that all others are compared with, scene by scene.
        judge: Name of the judge model whose verdicts count; may be left out if there is at most one.

    Returns:
        The two files.

    Raises:
        ConfigError: If there are no answers of `against`, or if it is not clear which judge counts.
        DatasetError: If the folder holds no run or damaged verdicts.
    """
    results = load_results(out, judge=judge)
    parts = Parts(
        verdict=tuple(verdict(results)),
        tables=tuple(all_tables(results, against=against)),
        examples=tuple(draw_examples(results, out)),
        plots=tuple(draw_all(results, out / "plots")),
    )
    for name, text in {"report.md": as_markdown(results, parts), "report.html": as_html(results, parts)}.items():
        (out / name).write_text(text, encoding="utf-8")
    return out / "report.md", out / "report.html"
