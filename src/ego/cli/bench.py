"""`ego bench`: what Ego costs beside the alternatives, measured on this machine."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ego.cli.opening import SPREAD
from ego.cli.options import DeviceOption, JsonOption
from ego.cli.output import Output
from ego.cli.settings import resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.bench.introduction import IntroductionBench

app = typer.Typer(name="bench", help="Measure what Ego costs beside the alternatives.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Keep `introduction` a command of its own while it is the only one."""


@app.command()
def introduction(
    *,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="ID|FOLDER",
            help="A model to measure.",
            show_default="random weights of realistic proportions",
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timed turns of each way.")] = 5,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Introduce one reference of about 1,000 visual tokens: Ego, the least possible, and the straightforward way."""
    from ego.backbones.loading import hide_progress
    from ego.bench.introduction import bench_introduction

    output, chosen = Output(as_json=as_json), resolve(device=device).device
    if chosen == SPREAD:
        raise InputError("a bench runs on one device; give --device cpu, cuda or cuda:0")
    with output.working(f"measuring, {rounds} rounds"):
        hide_progress()
        measured = bench_introduction(model, device=chosen, rounds=rounds)
    show(measured, output)


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
