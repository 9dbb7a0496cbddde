"""Plots of a run: quality with intervals, quality against context tokens, ROC and reliability."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ego.atomic_file import make_folder
from ego.evaluation.metrics.bootstrap import Estimate
from ego.evaluation.metrics.curves import BINS, Curve, Probability, Truth, curve, probabilities
from ego.evaluation.report.results import Cell, Results
from ego.evaluation.report.tables import heading, title_of

RESOLUTION = 120  # dots per inch
COLOURS, MARKERS = 10, "osD^vPX*"  # matplotlib's colours repeat; then the marker changes


def draw_all(results: Results, folder: Path) -> list[Path]:
    """Draw every plot that the records allow; return the files."""
    make_folder(folder)
    return [_save(figure, folder / f"{name}.png") for name, figure in figures(results)]


def figures(results: Results) -> Iterator[tuple[str, Figure]]:
    """Yield every plot with its name."""
    for task, kind in results.groups:
        main = results.scorer(kind).main
        scored = [(cell, found[main]) for cell, found in results.scored[task, kind].items()]
        label = f"{title_of(task, kind)}: {heading(main)}, percent"
        yield f"{task}-{kind}", _bars(scored, label)
        yield f"{task}-{kind}-cost", _against_tokens(results, scored, label)
        curves = list(_curves(results, task)) if kind == "recognition" else []
        if curves:
            yield f"{task}-thresholds", _thresholds(curves)


def _bars(scored: Sequence[tuple[Cell, Estimate]], label: str) -> Figure:
    figure = Figure(figsize=(7, 1 + 0.35 * len(scored)), layout="constrained")
    axes = figure.add_subplot()
    values = np.array([estimate.value for _, estimate in scored]) * 100
    bounds = np.array([(estimate.low, estimate.high) for _, estimate in scored]).reshape(-1, 2) * 100
    errors = np.abs(bounds - values[:, None]).T
    axes.barh([cell.label for cell, _ in scored], values, xerr=errors, color="tab:blue", ecolor="black", capsize=3)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    return figure


def _against_tokens(results: Results, scored: Sequence[tuple[Cell, Estimate]], label: str) -> Figure:
    figure = Figure(figsize=(8, max(4, 1 + 0.25 * len(scored))), layout="constrained")
    axes = figure.add_subplot()
    for number, (cell, estimate) in enumerate(scored):
        tokens = results.cost(cell)["context_tokens"]
        marker = MARKERS[number // COLOURS % len(MARKERS)]
        axes.plot(tokens, 100 * estimate.value, marker, label=cell.label)
    axes.set(xlabel="context tokens per query, mean over all questions", ylabel=label)
    figure.legend(loc="outside right upper", fontsize=8)  # beside the plot, where names of close points stay apart
    return figure


@dataclass(frozen=True, eq=False)
class _Judged:
    """What one method's probabilities are worth."""

    cell: Cell
    truth: Truth
    probability: Probability
    curve: Curve


def _curves(results: Results, task: str) -> Iterator[_Judged]:
    for cell in results.cells:
        truth, probability = probabilities(results.answered(cell, task, "recognition"))
        found = curve(truth, probability)
        if found:
            yield _Judged(cell, truth, probability, found)


def _thresholds(curves: Sequence[_Judged]) -> Figure:
    figure = Figure(figsize=(10, 4.5 + 0.2 * len(curves)), layout="constrained")
    roc, reliability = figure.subplots(1, 2)
    for judged in curves:
        found, label = judged.curve, judged.cell.label
        roc.plot(found.false_positive_rate, found.true_positive_rate, label=f"{label} ({found.area:.2f})")
        _reliability(reliability, judged.truth, judged.probability, label)
    for axes in (roc, reliability):
        axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    roc.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC (area)")
    reliability.set(xlabel="stated probability of yes", ylabel="share that is there", title="Reliability")
    figure.legend(*roc.get_legend_handles_labels(), loc="outside lower center", fontsize=8, ncols=2)
    return figure


def _reliability(axes: Axes, truth: Truth, probability: Probability, label: str) -> None:
    bin_of = np.minimum((probability * BINS).astype(int), BINS - 1)
    filled = [number for number in range(BINS) if (bin_of == number).any()]
    stated = [probability[bin_of == number].mean() for number in filled]
    axes.plot(stated, [truth[bin_of == number].mean() for number in filled], marker=".", label=label)


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=RESOLUTION)
    return path
