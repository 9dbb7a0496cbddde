"""Look at every new or changed picture of some folders and write down which concepts are in it.

Stopped at any moment, by whatever means, a scan goes on where it stood when the same command runs again. What was asked
of a picture is kept with it as a digest: of the model, the concepts in their order, and the numbers of the method; when
one of them changes, the answers would, and the pictures are looked at once more.
"""

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout
from PIL import ExifTags, Image

from ego.album.files import list_pictures
from ego.album.index import AlbumIndex, Box, Find
from ego.album.picture_file import Kind
from ego.corrected import model_key
from ego.errors import ContextBudgetError, InputError, StoreError
from ego.memory import ConceptMemory
from ego.personalizer import Ego
from ego.results import Recognition

LEAST_SHOWN = 0.3  # probability from which a box is kept: corrections and thresholds may let a concept in later
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
    """Bring the index up to date with some folders.

    Raises:
        InputError: If a folder does not exist, or no concept is remembered.
        StoreError: If the index cannot be written, or another scan is running.
    """
    memories = personal.memories
    if not memories:
        raise InputError("no concept is remembered for this model; introduce one before an album is scanned")
    places = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100 - see list_pictures
    began = time.monotonic()
    listing = list_pictures(folders)
    with _alone(index):
        gone = index.sync(listing.files, places)
        index.call({memory.identity: memory.name for memory in memories}, model_key(personal.backbone))
        asked = question_digest(personal, memories)
        waiting = index.waiting(asked, places)
        problems = dict(listing.unreadable)
        identities = {memory.name: memory.identity for memory in memories}
        for done, (path, kind) in enumerate(waiting, start=1):
            found, problem = _look(personal, index, path, kind, asked, identities)
            if problem:
                problems[path] = problem
            if on_progress is not None:
                on_progress(Progress(done, len(waiting), path, found, problem, time.monotonic() - began))
    unchanged = len(listing.files) - len(waiting)
    return Summary(len(waiting), unchanged, gone, tuple(sorted(problems.items())), time.monotonic() - began)


def question_digest(personal: Ego, memories: Sequence[ConceptMemory]) -> str:
    """Digest everything that an answer about a picture depends on."""
    fingerprint, config = personal.backbone.fingerprint, personal.config
    told = [fingerprint.weights, fingerprint.processor, personal.backbone.card.decoder]
    told += [str(config.context_budget), str(config.video_frames)]
    digest = hashlib.sha256("\n".join(told).encode())
    for memory in memories:
        rows = memory.tokens.rows.float().contiguous().numpy().tobytes()
        digest.update(hashlib.sha256(memory.name.encode() + b"\0" + rows).digest())
    return digest.hexdigest()


def taken(path: str) -> str:
    """Tell when a picture was taken: by its EXIF block, else by the age of its file; ISO 8601 without a zone."""
    try:
        with Image.open(path) as image:
            details = image.getexif()
            told = details.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or details.get(
                ExifTags.Base.DateTime
            )
        return datetime.strptime(str(told).strip("\0 "), _EXIF_TIME).isoformat()
    except (OSError, ValueError, SyntaxError, TypeError, KeyError):  # a clip, or no usable EXIF block
        return datetime.fromtimestamp(Path(path).stat().st_mtime).replace(microsecond=0).isoformat()


def _look(
    personal: Ego, index: AlbumIndex, path: str, kind: Kind, asked: str, identities: dict[str, str]
) -> tuple[tuple[str, ...], str]:
    try:
        seen = personal.recognize_many([path], corrected=False)[0]
        boxes = _boxes(personal, path, kind, seen)
        when = taken(path)
    except (InputError, ContextBudgetError, OSError) as error:
        index.record(path, asked, (), problem=str(error))
        return (), str(error)
    index.record(path, asked, [_find(identities[name], one, boxes.get(name)) for name, one in seen.items()], taken=when)
    return tuple(name for name, one in seen.items() if one.present), ""


def _boxes(personal: Ego, path: str, kind: Kind, seen: Mapping[str, Recognition]) -> dict[str, Box]:
    """Say where the concepts of a photo are, if the model's tokens have a place."""
    there = [name for name, one in seen.items() if one.probability >= LEAST_SHOWN]
    if kind == "video" or not there or not personal.backbone.card.has_geometry:
        return {}
    return {name: found[0].box for name, found in personal.where(path, there).items()}


def _find(concept: str, one: Recognition, box: Box | None) -> Find:
    return Find(concept, one.probability, one.said, box, one.seen_at)


class _alone:  # noqa: N801 - reads as a word of the `with`
    """Keep a second scan of the same library out."""

    def __init__(self, index: AlbumIndex) -> None:
        index.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(index.path.with_name(_LOCK), timeout=0)
        self._folder = index.path.parent

    def __enter__(self) -> None:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise StoreError(f"another scan of the library {self._folder} is running; wait for its end") from error

    def __exit__(self, *_: object) -> None:
        self._lock.release()
