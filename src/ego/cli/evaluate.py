"""`ego eval | report`: measure methods on a data set, and put them side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ego.cli.introduce_many import Spread
from ego.cli.opening import open_backbone
from ego.cli.options import (
    BatchOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    RayAddressOption,
    RayOption,
    WorkersOption,
)
from ego.cli.output import Output
from ego.cli.settings import resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.evaluation.manifest import Manifest
    from ego.evaluation.runner import Step

_JUDGE = "Judge of open answers"
_METHOD = "Method"


def evaluate(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="folder, yollava, myvlm, this-is-my-img-single, ... or manifest.")
    ],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where you downloaded it (of manifest: the file).")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where records go; continue by the same.")],
    task: Annotated[
        list[str] | None, typer.Option(help="recognition, choice, text, open, caption, video.", show_default="all")
    ] = None,
    method: Annotated[
        str, typer.Option(help="Methods, separated by commas; ablation and peers are groups.")
    ] = "none,ego",
    views: Annotated[str, typer.Option(help="Reference images per concept, separated by commas.")] = "1",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Scenes per task, evenly spread.", show_default="all")
    ] = None,
    known: Annotated[
        str, typer.Option(help="Memories in the prompt: those a sample names (sample), or all of the data set (all).")
    ] = "sample",
    neutral_names: Annotated[bool, typer.Option("--neutral-names", help="Rename all concepts: Aero, Vex, ...")] = False,
    budget: Annotated[
        float | None, typer.Option(min=0, max=1, help="Cap of a memory.", show_default="0.2", rich_help_panel=_METHOD)
    ] = None,
    peers: Annotated[
        Path | None,
        typer.Option(
            metavar="TOML", help="Where the peers' encoders are; see docs/evaluation.md.", rich_help_panel=_METHOD
        ),
    ] = None,
    batch: BatchOption = 8,
    ray: RayOption = False,
    ray_address: RayAddressOption = None,
    workers: WorkersOption = None,
    model: ModelOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask every method every question; one JSON line per answer. A stopped run continues where it was."""
    from ego.evaluation import require_extra

    require_extra()
    from ego.evaluation.methods.peers.encoders import read_settings
    from ego.evaluation.methods.table import names_of
    from ego.evaluation.plan import Scope, plan
    from ego.evaluation.runner import Model, Runner

    output, settings = Output(as_json=as_json), resolve(model, device=device)
    shared = Spread(ray, ray_address, workers, batch)
    shared.check(settings.device if shared.wanted else None)
    with output.working("reading the pictures"):
        manifest = _manifest(dataset, path, neutral_names)
    for note in manifest.notes:
        output.note(note)
    if known not in ("sample", "all"):
        raise InputError(f"--known is {known!r}; choose sample or all")
    scope = Scope(tuple(task or ()), _numbers(views), limit, "all" if known == "all" else "sample")
    config, encoders = settings.config(budget=budget), read_settings(peers)
    backbone = open_backbone(settings, output)
    run = plan(backbone, manifest, names_of(method), config=config, peers=encoders, scope=scope)
    for name, reason in run.not_run.items():
        output.note(f"{name} is not run: {reason}")
    runner = Runner(backbone, manifest, run, out)
    if shared.wanted:
        with shared.made(Model(settings.model, settings.device, manifest, run)) as many, _progress() as progress:
            runner.run(_advance(progress), many, batch)
    else:
        with _progress() as progress:
            runner.run(_advance(progress))
    for note in runner.left_out.notes:
        output.note(note)
    output.result(
        {"out": str(out), "run": run.model_dump(mode="json")}, f"records are in {out}; next: ego report {out}"
    )


def report(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `ego eval --out` filled.")],
    *,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD[:VIEWS]", help="Compare the others with this method (or this row), scene by scene."
        ),
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="URL", help="OpenAI-compatible endpoint.", rich_help_panel=_JUDGE)
    ] = None,
    judge_model: Annotated[
        str, typer.Option(help="Model there; of several that judged, the one to report.", rich_help_panel=_JUDGE)
    ] = "",
    judge_key: Annotated[
        str, typer.Option(envvar="EGO_JUDGE_KEY", help="Its key, if it wants one.", rich_help_panel=_JUDGE)
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Say which method is best, in words; write report.html and report.md with tables, examples and plots.

    With a judge, open answers are judged first.
    """
    from ego.evaluation import require_extra

    require_extra()
    from ego.evaluation.judge import Judge, judge_answers
    from ego.evaluation.report import write_report

    output = Output(as_json=as_json)
    if judge:
        with output.working("judging open answers"):
            judge_answers(out, Judge(judge, judge_model, judge_key))
    markdown, html = write_report(out, against=against, judge=judge_model or None)
    text = markdown.read_text(encoding="utf-8")
    output.result({"markdown": str(markdown), "html": str(html)}, text, f"Wrote {html} and {markdown}")


def _manifest(dataset: str, path: Path, neutral_names: bool) -> "Manifest":
    from ego.evaluation.datasets import load_dataset
    from ego.evaluation.manifest import with_neutral_names

    manifest = load_dataset(dataset, path)
    return with_neutral_names(manifest) if neutral_names else manifest


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(f"--views is {text!r}; write numbers separated by commas, such as 1,5") from error
    if min(numbers) < 1:
        raise InputError(f"--views is {text!r}; a concept needs 1 reference image or more, write such as 1,5")
    return numbers


def _progress() -> Progress:
    from rich.console import Console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _advance(progress: Progress) -> Any:
    """Make what moves one bar per method."""
    bars: dict[tuple[str, int], Any] = {}

    def advance(step: "Step") -> None:
        key = (step.method, step.views)
        if key not in bars:
            bars[key] = progress.add_task(f"{step.method}, {step.views} views", total=step.of)
        progress.update(bars[key], completed=step.done)

    return advance
