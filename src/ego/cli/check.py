"""`ego check`: what Ego relies on, tried on one model and this machine."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ego.cli.opening import SPREAD
from ego.cli.options import DeviceOption, JsonOption
from ego.cli.output import Output
from ego.cli.settings import resolve

if TYPE_CHECKING:
    from ego.bench.checkup import Checkup

FAILED = 6


def check(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Hugging Face model, a local folder of one, or mini.")],
    *,
    timed: Annotated[bool, typer.Option(help="Time an introduction beside plain generation.")] = True,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try everything that Ego relies on, on one model and this machine; the outcome can be pasted into a report."""
    from ego.backbones.loading import hide_progress
    from ego.bench.checkup import check_up

    output, chosen = Output(as_json=as_json), resolve(device=device).device
    spread = chosen == SPREAD
    with output.working(f"checking {model}"):
        hide_progress()
        found = check_up(model, device=None if spread else chosen, device_map=SPREAD if spread else None, timed=timed)
    show(found, output)
    if not found.passed:
        raise typer.Exit(FAILED)


def show(found: "Checkup", output: Output) -> None:
    """Print what was tried, then figures and versions."""
    table = Table("tried", "outcome", "detail", title=f"{found.model} ({found.family})", title_justify="left")
    for finding in found.findings:
        table.add_row(finding.what, "as it must be" if finding.works else "WRONG", finding.detail)
    memory = {"host": found.host_peak_gb, "device": found.device_peak_gb}
    lines = [
        ", ".join(f"{name} {value:.2f} s" for name, value in found.seconds.items()),
        ", ".join(f"{name} memory {value:.2f} GB at most" for name, value in memory.items() if value is not None),
        ", ".join(f"{name} {value}" for name, value in found.environment.items()),
    ]
    output.result({**found.model_dump(mode="json"), "passed": found.passed}, table, *lines)
