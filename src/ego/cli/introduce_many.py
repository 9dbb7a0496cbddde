"""`ego introduce --manifest`: remember all concepts of a file, on one device or on many."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ego.cli.opening import REAL_USE, SPREAD, open_store
from ego.cli.output import Output
from ego.cli.settings import Settings
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.bulk.jobs import Workers, WorkFactory
    from ego.bulk.run import BulkReport


@dataclass(frozen=True)
class Spread:
    """Where bulk work is done.

    Attributes:
        ray: On Ray, instead of in this process.
        address: Of a Ray cluster; Ray on this machine without one.
        workers: How many on Ray; None: one per GPU, or per core.
        batch: Pieces that a worker gets at once.
    """

    ray: bool
    address: str | None
    workers: int | None
    batch: int

    @property
    def wanted(self) -> bool:
        """Whether it is done on Ray."""
        return self.ray or self.address is not None

    def check(self, device: str | None) -> None:
        """Refuse what contradicts itself."""
        if self.workers is not None and not self.wanted:
            raise InputError("--workers is for Ray; add --ray, or leave it out")
        if device == SPREAD:
            raise InputError("every worker holds a whole model; give --device cpu, cuda or cuda:0 instead of auto")

    @contextmanager
    def made(self, factory: "WorkFactory") -> Iterator["Workers"]:
        """Give the workers."""
        if not self.wanted:
            from ego.bulk.jobs import ThisProcess

            yield ThisProcess(factory)
            return
        from ego.bulk.ray_workers import RayWorkers, ray_session

        with ray_session(self.address, self.workers) as ray:
            yield RayWorkers(ray, factory, self.workers)


def introduce_manifest(
    manifest: Path, settings: Settings, spread: Spread, output: Output, *, replace: bool, thumbnail: bool
) -> None:
    """Introduce what is not introduced yet, and say what failed.

    Raises:
        Exit: With code 1, if a concept could not be introduced, or a line is none.
    """
    spread.check(settings.device)
    from ego.bulk.introductions import Model, introduce_all
    from ego.bulk.manifest import read_concepts

    left_out: list[InputError] = []
    lines = read_concepts(manifest, left_out.append)
    for problem in left_out:
        output.warn(problem)
    if not settings.chosen:
        output.note(REAL_USE)
    model = Model(settings.model, settings.device, settings.config(thumbnails=thumbnail or None))
    bar = Progress(
        *(TextColumn("introducing"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]}")),
        TimeElapsedColumn(),
        console=Console(stderr=True, markup=False, emoji=False),
    )
    with spread.made(model) as workers, bar:
        task = bar.add_task("", total=len(lines), failed="")
        report = introduce_all(
            lines,
            manifest.parent,
            model,
            workers,
            open_store(settings, may_be_new=True),
            replaced=replace,
            batch=spread.batch,
            on_progress=lambda now: bar.update(
                task,
                completed=now.written + now.already + now.failed,
                failed=f"{now.failed} failed" if now.failed else "",
            ),
        )
    _show(report, {line.key(model.id): line.name for line in lines}, left_out, output)


def _show(report: "BulkReport", names: dict[str, str], left_out: list[InputError], output: Output) -> None:
    now = report.progress
    failures = [{"name": names[one.job.key], "error": one.error} for one in report.failures]
    document = {
        "introduced": now.written,
        "already": now.already,
        "failed": failures,
        "left_out": [str(problem) for problem in left_out],
        "workers_lost": report.lost,
        "seconds": now.seconds,
    }
    lines = f", {len(left_out)} lines left out" if left_out else ""
    summary = (
        f"{now.written} introduced in {now.seconds:.0f} s, {now.already} were already, {now.failed} failed{lines}."
    )
    output.result(document, summary, *(f"  {one['name']}: {one['error']}" for one in failures))
    if failures or left_out:
        raise typer.Exit(1)
