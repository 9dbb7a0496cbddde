"""`ego bench`: what Ego costs beside the alternatives, measured on this machine."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ego.cli.opening import SPREAD
from ego.cli.options import DeviceOption, JsonOption
from ego.cli.output import Output
from ego.cli.settings import resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.bench.growth import Growth
    from ego.bench.introduction import IntroductionBench

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="ID|FOLDER",
        help="A model to measure.",
        show_default="random weights of realistic proportions",
    ),
]
RoundsOption = Annotated[int, typer.Option(min=1, help="Timed turns of each way.")]
PlotOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw cost against size into a picture (extra: eval).")
]

app = typer.Typer(name="bench", help="Measure what Ego costs beside the alternatives.", no_args_is_help=True)


@app.command()
def introduction(
    *,
    model: ModelOption = None,
    rounds: RoundsOption = 5,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Introduce one reference of about 1,000 visual tokens: Ego, the least possible, and the straightforward way."""
    from ego.backbones.loading import hide_progress
    from ego.bench.introduction import bench_introduction

    output, chosen = Output(as_json=as_json), one_device(device)
    with output.working(f"measuring, {rounds} rounds"):
        hide_progress()
        measured = bench_introduction(model, device=chosen, rounds=rounds)
    show(measured, output)


@app.command()
def query(
    *,
    model: ModelOption = None,
    rounds: RoundsOption = 3,
    plot: PlotOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask about a picture with 3, 6 and 12 concepts in memory: seconds to the first word."""
    from ego.bench.query import bench_query

    _measure(bench_query, model, rounds, plot, device, Output(as_json=as_json))


@app.command()
def recognize(
    *,
    model: ModelOption = None,
    rounds: RoundsOption = 3,
    plot: PlotOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find 4, 8, 16 and 32 concepts in a picture: one sequence, rows of a batch, one by one, separate runs."""
    from ego.bench.recognize import bench_recognize

    _measure(bench_recognize, model, rounds, plot, device, Output(as_json=as_json))


@app.command()
def accelerator(
    *,
    model: ModelOption = None,
    rounds: RoundsOption = 3,
    plot: PlotOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a model speak, beside `generate` of transformers with its growing and its static cache."""
    from ego.bench.accelerator import bench_accelerator

    _measure(bench_accelerator, model, rounds, plot, device, Output(as_json=as_json))


def _measure(
    bench: "Callable[..., Growth]",
    model: str | None,
    rounds: int,
    plot: Path | None,
    device: str | None,
    output: Output,
) -> None:
    from ego.backbones.loading import hide_progress

    require_plotting(plot)
    chosen = one_device(device)
    with output.working(f"measuring, {rounds} rounds"):
        hide_progress()
        measured = bench(model, device=chosen, rounds=rounds)
    show_growth(measured, output)
    draw_growth(measured, plot, output)


def draw_growth(measured: "Growth", plot: Path | None, output: Output) -> None:
    """Draw a bench, if a file is given for it."""
    if plot is not None:
        from ego.bench.plot import draw

        output.note(f"drawn into {draw(measured, plot)}")


def one_device(device: str | None) -> str | None:
    """Choose where a bench runs."""
    chosen = resolve(device=device).device
    if chosen == SPREAD:
        raise InputError("a bench runs on one device; give --device cpu, cuda or cuda:0")
    return chosen


def require_plotting(plot: Path | None) -> None:
    """Refuse to begin when nothing can be drawn in the end, or something else would be lost.

    Raises:
        InputError: If it is so.
    """
    if plot is None:
        return
    if plot.suffix.lower() not in {".png", ".pdf", ".svg"}:
        raise InputError(f"{plot} is not named like a plot; choose --plot such as bench.png, bench.svg or bench.pdf")
    if plot.exists() or not plot.parent.is_dir():
        wrong = "exists already" if plot.exists() else "is in no folder that there is"
        raise InputError(f"{plot} {wrong}; give another --plot")
    if find_spec("matplotlib") is None:
        raise InputError('plots need matplotlib; install it with: pip install "ego-vlm[eval]"')


def show_growth(measured: "Growth", output: Output) -> None:
    """Print a table of seconds, one column for each size, and how the ways compare."""
    ways = measured.points[-1].ways
    sizes = [f"{point.size} {measured.grows}" for point in measured.points]
    columns = {
        "context tokens": [str(way.context_tokens or "") for way in ways],
        "extra memory, MB": ["" if way.extra_peak_mb is None else f"{way.extra_peak_mb:.0f}" for way in ways],
    }
    shown = {name: values for name, values in columns.items() if any(values)}
    table = Table("seconds", *sizes, *shown, title=measured.model, title_justify="left")
    for number, way in enumerate(ways):
        seconds = [f"{point.seconds(way.name):.3f}" for point in measured.points]
        table.add_row(way.name, *seconds, *(values[number] for values in shown.values()))
    same = all(point.same_answers for point in measured.points)
    figures = [f"{value:.2f}  {name}" for name, value in measured.figures.items()]
    output.result(measured.model_dump(mode="json"), table, *figures, f"Same answers: {'yes' if same else 'no'}.")


def show(measured: "IntroductionBench", output: Output) -> None:
    """Print the table and how the ways compare."""
    figures = {name: getattr(measured, name) for name in ("over_limit", "speed_up", "memory_share")}
    output.result({**measured.model_dump(mode="json"), **figures}, _table(measured), *_verdicts(measured))


def _table(measured: "IntroductionBench") -> Table:
    tokens = f"{measured.visual_tokens} visual tokens, {sum(measured.new_tokens)} new tokens"
    table = Table("way", "seconds", "extra memory, MB", title=f"{measured.model}: {tokens}", title_justify="left")
    for rival in measured.rivals:
        memory = "unknown" if rival.extra_peak_mb is None else f"{rival.extra_peak_mb:.0f}"
        table.add_row(rival.name, f"{rival.seconds:.2f}", memory)
    return table


def _verdicts(measured: "IntroductionBench") -> list[str]:
    share = measured.memory_share
    return [
        f"Ego takes {measured.over_limit:.2f}x the time of the least possible,",
        f"the straightforward way {measured.speed_up:.2f}x that of Ego;",
        f"Ego's extra memory is {'unknown' if share is None else f'{share:.2f}'} of the straightforward way's.",
        f"All said the same: {'yes' if measured.same_answers else 'no'}.",
    ]
