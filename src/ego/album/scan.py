"""Look at every new or changed picture of some folders and write down which concepts are in it.

Stopped at any moment, by whatever means, a scan goes on where it stood when the same command runs again. What was asked
of a picture is kept with it as a digest: of the model, the concepts in their order, and the numbers of the method; when
one of them changes, the answers would, and the pictures are looked at once more.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ego.album.files import list_pictures
from ego.album.index import AlbumIndex
from ego.album.looking import Looked, Task, here
from ego.atomic_file import OWN_FILE, make_folder
from ego.bulk.jobs import Outcome, ThisProcess, Workers
from ego.bulk.run import run_bulk
from ego.errors import ImageError, StoreError
from ego.media.time_told import time_told
from ego.personalizer import Ego

_LOCK = ".album.lock"
_EXIF_TIME = "%Y:%m:%d %H:%M:%S"


@dataclass(frozen=True)
class Progress:
    """Where a scan stands.

    Attributes:
        done: Pictures of this run.
        total: Pictures that were waiting when it began.
        path: The picture that was looked at last.
        found: Names of the concepts in it.
        problem: Why it could not be looked at; empty if it could.
        seconds: Since the scan began.
    """

    done: int
    total: int
    path: str
    found: tuple[str, ...]
    problem: str
    seconds: float

    @property
    def rate(self) -> float:
        """Pictures per second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float:
        """Seconds to go at this rate."""
        return (self.total - self.done) / self.rate if self.rate else 0.0


@dataclass(frozen=True)
class Summary:
    """What a scan did.

    Attributes:
        looked: Pictures looked at in this run.
        unchanged: Pictures that were known already.
        gone: Pictures that left the folders since the last scan.
        problems: Files and folders that could not be used, with the reason.
        seconds: Duration.
    """

    looked: int
    unchanged: int
    gone: int
    problems: tuple[tuple[str, str], ...]
    seconds: float


def scan(
    personal: Ego,
    index: AlbumIndex,
    folders: Sequence[str | os.PathLike[str]],
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Bring the index up to date with some folders; the model in this process looks.

    Raises:
        InputError: If a folder does not exist, or no concept is remembered.
        StoreError: If the index cannot be written, or another scan is running.
    """
    task = here(personal)
    return scan_with(task, ThisProcess(task.look), index, folders, on_progress=on_progress)


def scan_with(
    task: Task,
    workers: Workers,
    index: AlbumIndex,
    folders: Sequence[str | os.PathLike[str]],
    *,
    batch: int = 1,
    on_progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Bring the index up to date with some folders; this process writes, in the order of paths, whoever looks.

    Args:
        task: What is asked of every picture.
        workers: Who looks, made ready by `task.look`.
        index: Where it is written; what stands there is not looked at again.
        folders: Where the pictures are.
        batch: Pictures that a worker gets at once.
        on_progress: Called after each picture.

    Raises:
        InputError: If a folder does not exist.
        StoreError: If the index cannot be written, or another scan is running.
    """
    places = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100 - see list_pictures
    began = time.monotonic()
    listing = list_pictures(folders)
    with _alone(index):
        gone = index.sync(listing.files, places)
        index.call(task.names, task.model)
        waiting = index.waiting(task.digest, places)
        writer = _Writer(task, index, len(waiting), began, on_progress)
        jobs = (task.job(path, kind) for path, kind in waiting)
        report = run_bulk(jobs, workers, writer, batch=batch)
    lost = {outcome.job.key: outcome.error for outcome in report.failures}
    problems = tuple(sorted((dict(listing.unreadable) | writer.problems | lost).items()))
    unchanged = len(listing.files) - len(waiting)
    return Summary(len(waiting) - len(lost), unchanged, gone, problems, time.monotonic() - began)


class _Writer:
    """Writes what came of each picture into the index."""

    def __init__(
        self, task: Task, index: AlbumIndex, total: int, began: float, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self._task, self._index, self._total, self._began = task, index, total, began
        self._on_progress = on_progress
        self._done = 0
        self.problems: dict[str, str] = {}

    def __call__(self, outcome: Outcome) -> None:
        path, looked = outcome.job.key, outcome.result
        try:
            when = "" if looked.problem else taken(path)
        except OSError as error:  # it left in the meantime
            looked, when = Looked(problem=str(error)), ""
        self._index.record(path, self._task.digest, looked.finds, taken=when, problem=looked.problem)
        if looked.problem:
            self.problems[path] = looked.problem
        self._done += 1
        if self._on_progress is not None:
            seconds = time.monotonic() - self._began
            self._on_progress(Progress(self._done, self._total, path, looked.names, looked.problem, seconds))


def taken(path: str) -> str:
    """Tell when a picture was taken: by its EXIF block, else by the age of its file; ISO 8601 without a zone."""
    try:
        return datetime.strptime(time_told(path), _EXIF_TIME).isoformat()
    except (ImageError, ValueError):  # a clip, or no usable EXIF block
        return datetime.fromtimestamp(Path(path).stat().st_mtime).replace(microsecond=0).isoformat()


class _alone:  # noqa: N801 - reads as a word of the `with`
    """Keep a second scan of the same library out."""

    def __init__(self, index: AlbumIndex) -> None:
        make_folder(index.path.parent)
        self._lock = FileLock(index.path.with_name(_LOCK), timeout=0, mode=OWN_FILE)
        self._folder = index.path.parent

    def __enter__(self) -> None:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise StoreError(f"another scan of the library {self._folder} is running; wait for its end") from error

    def __exit__(self, *_: object) -> None:
        self._lock.release()
