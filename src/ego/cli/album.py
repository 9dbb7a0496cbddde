"""`ego scan | watch`: which concepts are in which pictures of whole folders."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ego.cli.introduce_many import Spread
from ego.cli.opening import open_personalizer, require_library
from ego.cli.options import (
    BatchOption,
    DeviceOption,
    FramesOption,
    JsonOption,
    LibraryOption,
    ModelOption,
    RayAddressOption,
    RayOption,
    WorkersOption,
)
from ego.cli.output import Output
from ego.cli.settings import Settings, resolve
from ego.errors import ConfigError, InputError

if TYPE_CHECKING:
    from ego.album import scan as scanning
    from ego.album.index import AlbumIndex
    from ego.album.looking import Task

FoldersArgument = Annotated[
    list[Path],
    typer.Argument(metavar="FOLDER", help="Folders of photos and clips, with all below.", show_default=False),
]
EXTRA = ("lxml", "jinja2", "watchfiles")


def scan(
    folders: FoldersArgument,
    *,
    frames: FramesOption = None,
    batch: BatchOption = 8,
    ray: RayOption = False,
    ray_address: RayAddressOption = None,
    workers: WorkersOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at every new or changed photo and clip of folders; `ego find` then answers at once.

    It can be stopped at any moment and goes on where it stood. Pictures are only read. What cannot be read is reported
    and left out. With EGO_SERVER set the service looks, with --ray many workers; this process alone writes the index.
    """
    output, settings = Output(as_json=as_json), resolve(model, library, device)
    spread = Spread(ray, ray_address, workers, batch)
    _require(settings, folders)
    if spread.wanted:
        spread.check(settings.device)
    from ego.album.index import AlbumIndex
    from ego.album.scan import scan_with

    index, size = AlbumIndex(settings.library), spread.batch if spread.wanted else 1
    task = _ready(settings, output, frames, spread)()
    with spread.made(task.look) as hands, _bar(as_json=as_json) as on_progress:
        summary = scan_with(task, hands, index, folders, batch=size, on_progress=on_progress)
    _report(output, settings, index, summary)


def watch(
    folders: FoldersArgument,
    *,
    frames: FramesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Scan folders, then keep their index up to date until interrupted (Ctrl-C)."""
    output, settings = Output(as_json=as_json), resolve(model, library, device)
    spread = Spread(ray=False, address=None, workers=None, batch=1)
    _require(settings, folders)
    require_extra()
    from ego.album.index import AlbumIndex
    from ego.album.scan import scan_with
    from ego.album.watch import keep_up

    index = AlbumIndex(settings.library)
    task_now = _ready(settings, output, frames, spread)

    def scan_now() -> "scanning.Summary":
        task = task_now()  # concepts may have come and gone
        with spread.made(task.look) as hands, _bar(as_json=as_json) as on_progress:
            return scan_with(task, hands, index, folders, on_progress=on_progress)

    for summary in keep_up(folders, scan_now):
        _report(output, settings, index, summary)


def _ready(settings: Settings, output: Output, frames: int | None, spread: Spread) -> "Callable[[], Task]":
    """Open what looks: a service, else the model; gives what to call before each scan."""
    if settings.server is not None:
        if spread.wanted:
            raise InputError("the service does the work already; unset EGO_SERVER, or leave --ray out")
        from ego.album.looking import at_service

        return partial(at_service, settings.server)
    personal = open_personalizer(settings, output, video_frames=frames)
    from ego.album.looking import here, spread_out

    return partial(spread_out, personal, settings.model, settings.device) if spread.wanted else partial(here, personal)


def require_extra() -> None:
    """Say what to install before any work begins."""
    if missing := [name for name in EXTRA if find_spec(name) is None]:
        raise ConfigError(f"this needs {', '.join(missing)}; install them with: pip install 'ego-vlm[album]'")


def _require(settings: Settings, folders: list[Path]) -> None:
    if settings.server is None:
        require_library(settings)
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder; give folders of photos and clips")


def _report(output: Output, settings: Settings, index: "AlbumIndex", summary: "scanning.Summary") -> None:
    from ego.album.find import Question, counts
    from ego.album.find import find as search

    for path, problem in summary.problems:
        output.note(f"left out {problem if path in problem else f'{path}: {problem}'}")
    found = counts(search(index, Question(otherwise=settings.method.get("threshold", 0.5))))
    listed = ", ".join(f"{name} in {number}" for name, number in found.items()) or "nobody was found"
    pace = f", {summary.looked / summary.seconds:.1f} a second" if summary.looked and summary.seconds else ""
    told = (
        f"{summary.looked} looked at{pace}, {summary.unchanged} known already, {summary.gone} gone, "
        f"{len(summary.problems)} left out; {listed}."
    )
    document = asdict(summary) | {"index": str(index.path), "found": found}
    output.result(document, told)


class _bar:  # noqa: N801 - reads as a word of the `with`
    """A progress bar on a terminal, with pictures a second and the time left; a line now and then elsewhere."""

    def __init__(self, *, as_json: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=as_json or not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("looking", total=None, pace="")

    def __enter__(self) -> "Callable[[scanning.Progress], None]":
        self._progress.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _show(self, progress: "scanning.Progress") -> None:
        self._progress.update(
            self._task, completed=progress.done, total=progress.total, pace=f"{progress.rate:.1f} a second"
        )
