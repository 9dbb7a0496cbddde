"""`ego bench filter`, `library` and `bulk`: the benches of size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ego.cli.bench import (
    PlotOption,
    RoundsOption,
    draw_growth,
    one_device,
    require_plotting,
    show_growth,
)
from ego.cli.options import DeviceOption, JsonOption
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
    without: Annotated[
        list[str] | None, typer.Option(metavar="WAY", help="A way to leave out, as the table calls it; repeatable.")
    ] = None,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the right concepts in growing libraries: filter index, exact search, inverted lists, one vector, LanceDB.

    LanceDB runs where it is installed (extra: bench).
    """
    if (library is None) != (questions is None):
        raise InputError("--library and --questions go together; benchmarks/real_concepts.py makes both")
    require_plotting(plot)
    ways = _ways(without or ())
    from ego.backbones.loading import hide_progress
    from ego.bench.filter import bench_filter
    from ego.bench.filter_material import drawn, real

    output = Output(as_json=as_json)
    with output.working("measuring"):
        hide_progress()
        material = drawn() if library is None or questions is None else real(library, questions)
        sizes = sorted(concepts or (1_000, 10_000, 100_000))
        measured = bench_filter(material, sizes, rounds=rounds, without=ways)
    show_growth(measured, output)
    draw_growth(measured, plot, output)


def _ways(named: Sequence[str]) -> Sequence[str]:
    from ego.bench.filter import RIVALS

    unknown = [name for name in named if name not in RIVALS]
    if unknown:
        raise InputError(f"--without {unknown[0]!r} is none of the ways: {'; '.join(RIVALS)}")
    return named


def library_command(
    *,
    concepts: Annotated[
        list[int] | None,
        typer.Option(min=20, help="A size of the library; repeatable.", show_default="100, 1000, 10000"),
    ] = None,
    rounds: RoundsOption = 3,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open, ask and change libraries of growing size: a folder of files, a packed catalogue, many small folders."""
    require_plotting(plot)
    from ego.bench.library import SIZES, bench_library

    output = Output(as_json=as_json)
    with output.working("measuring"):
        measured = bench_library(sorted(concepts or SIZES), rounds=rounds)
    show_growth(measured, output)
    draw_growth(measured, plot, output)


def bulk_command(
    *,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", metavar="ID|FOLDER", help="A model.", show_default="the embedded one"),
    ] = None,
    photos: Annotated[
        list[int] | None, typer.Option(min=1, help="A number of photos; repeatable.", show_default="8, 32")
    ] = None,
    workers: Annotated[int, typer.Option(min=2, help="Ray workers, of one core each.")] = 2,
    plot: PlotOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Introduce many photos: in this process, on one Ray worker, on several, and once more when all is done."""
    require_plotting(plot)
    from ego.backbones.loading import hide_progress
    from ego.bench.bulk import SIZES, bench_bulk

    output, chosen = Output(as_json=as_json), one_device(device)
    with output.working("measuring"):
        hide_progress()
        measured = bench_bulk(model, device=chosen, workers=workers, sizes=sorted(photos or SIZES))
    show_growth(measured, output)
    draw_growth(measured, plot, output)
