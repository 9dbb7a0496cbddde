"""`ego bench filter` and the other benches of size."""

from pathlib import Path
from typing import Annotated

import typer

from ego.cli.bench import PlotOption, draw_growth, require_plotting, show_growth
from ego.cli.options import JsonOption
from ego.cli.output import Output
from ego.errors import InputError


def filter_command(
    *,
    concepts: Annotated[
        list[int] | None,
        typer.Option(min=30, help="A size of the library; repeatable.", show_default="1000, 10000, 100000"),
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Real memories to generate from.", show_default="drawn pictures"),
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Encoded photos to ask with; goes with --library.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Questions; each is timed once.")] = 10,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the right concepts in libraries of growing size: the filter index, exact search, one vector a concept."""
    if (library is None) != (questions is None):
        raise InputError("--library and --questions go together; benchmarks/real_concepts.py makes both")
    if plot is not None:
        require_plotting()
    from ego.backbones.loading import hide_progress
    from ego.bench.filter import bench_filter
    from ego.bench.filter_material import drawn, real

    output = Output(as_json=as_json)
    with output.working("measuring"):
        hide_progress()
        material = drawn() if library is None or questions is None else real(library, questions)
        measured = bench_filter(material, sorted(concepts or (1_000, 10_000, 100_000)), rounds=rounds)
    show_growth(measured, output)
    draw_growth(measured, plot, output)
