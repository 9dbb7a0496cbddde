"""Records -> tables with confidence intervals and plots, as Markdown and HTML, methods side by side."""

from pathlib import Path

from ego.evaluation.report.plots import draw_all
from ego.evaluation.report.render import as_html, as_markdown
from ego.evaluation.report.results import load_results
from ego.evaluation.report.tables import all_tables


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
    tables, plots = all_tables(results, against=against), draw_all(results, out / "plots")
    files = {"report.md": as_markdown(results, tables, plots), "report.html": as_html(results, tables, plots)}
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    return out / "report.md", out / "report.html"
