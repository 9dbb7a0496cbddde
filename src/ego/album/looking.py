"""What a scan asks of every picture, and who looks: the model in this process, models elsewhere, or a running service.

A task can be handed to workers (`ego.bulk`): each makes itself ready once and then turns pictures into what was found.
What is written into the index is the same whoever looked.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ego.album.index import Box, Find
from ego.album.picture_file import Kind
from ego.backbones import load_backbone
from ego.backbones.loading import hide_progress
from ego.bulk.jobs import Job, Work, WorkFactory
from ego.client.remote import connect
from ego.concept import ImageSource
from ego.config import EgoConfig
from ego.corrected import model_key
from ego.errors import ContextBudgetError, InputError
from ego.footage import query_frames
from ego.memory import ConceptMemory
from ego.memory_file import dump, load
from ego.memory_story import identity_of
from ego.personalizer import Ego
from ego.results import Pointing, Recognition
from ego.thresholds import Thresholds, read_thresholds, write_thresholds

LEAST_SHOWN = 0.3  # probability from which a box is kept: corrections and thresholds may let a concept in later
Where = Callable[[ImageSource, Sequence[str]], Mapping[str, tuple[Pointing, ...]]]
SENT_BYTES = 2**26  # of a file that is sent to a worker; larger ones it must find under the same path


@dataclass(frozen=True)
class Looked:
    """What came of one picture.

    Attributes:
        finds: One for each concept.
        problem: Why it could not be looked at; empty if it could.
        names: Of the concepts that are there.
    """

    finds: tuple[Find, ...] = ()
    problem: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A picture to look at: the payload of a job.

    Attributes:
        path: Where it is.
        kind: Image or video.
        content: Its bytes, where the worker may not have the file.
    """

    path: str
    kind: Kind
    content: bytes | None = field(default=None, repr=False)

    @property
    def source(self) -> ImageSource:
        """What is handed to the model."""
        return self.path if self.content is None else self.content


@dataclass(frozen=True)
class Task:
    """What a scan asks of every picture.

    Attributes:
        names: Concept -> name.
        model: Which model answers, as corrections name it.
        digest: Of everything that an answer depends on; when it changes, pictures are looked at once more.
        look: Makes a worker ready.
        sends: Whether workers need the bytes of the pictures.
    """

    names: Mapping[str, str]
    model: str
    digest: str
    look: WorkFactory
    sends: bool = False

    def job(self, path: str, kind: Kind) -> Job:
        """Prepare one picture."""
        return Job(path, Picture(path, kind, _content(Path(path)) if self.sends else None))


def here(personal: Ego) -> Task:
    """Let the model in this process look."""
    names, digest = _asked(personal)
    return Task(names, model_key(personal.backbone), digest, lambda: _work(lambda one: _seen(personal, one, names)))


def spread_out(personal: Ego, model: str, device: str | None) -> Task:
    """Let workers look, each with a model of its own; they get the memories, and need nothing else of the library.

    Args:
        personal: The same model in this process, with the library.
        model: What workers load, as for `load_backbone`.
        device: The same; None lets each worker choose.
    """
    names, digest = _asked(personal)
    memories = tuple(dump(memory) for memory in personal.memories)
    eyes = _Eyes(model, device, personal.config, memories, read_thresholds(personal.store.folder))
    return Task(names, model_key(personal.backbone), digest, eyes, sends=True)


def at_service(address: str) -> Task:
    """Let a running service look.

    Raises:
        InputError: If it remembers no concept of the caller.
        BackboneError: If it does not answer.
    """
    told = [one.described for one in connect(address).memories]
    if not told:
        raise InputError(f"the service at {address} remembers no concept of yours; introduce one before a scan")
    names = {_identity(one): str(one["name"]) for one in told}
    digest = hashlib.sha256(json.dumps([address, told], sort_keys=True).encode()).hexdigest()
    return Task(names, f"{address} {told[0]['model']}", digest, lambda: _remote_work(address, names))


def question_digest(personal: Ego, memories: Sequence[ConceptMemory]) -> str:
    """Digest everything that an answer about a picture depends on."""
    fingerprint, config = personal.backbone.fingerprint, personal.config
    told = [fingerprint.weights, fingerprint.processor, personal.backbone.card.decoder]
    told += [str(config.context_budget), str(config.candidates), str(config.video_frames)]
    digest = hashlib.sha256("\n".join(told).encode())
    for memory in memories:
        rows = memory.tokens.rows.float().contiguous().numpy().tobytes()
        digest.update(hashlib.sha256(memory.name.encode() + b"\0" + rows).digest())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Eyes:
    """Makes a worker ready somewhere else."""

    model: str
    device: str | None
    config: EgoConfig
    memories: tuple[bytes, ...]
    thresholds: Thresholds

    def __call__(self) -> Work:
        hide_progress()
        personal = Ego(load_backbone(self.model, device=self.device), config=self.config)
        for memory in map(load, self.memories):
            personal.store.add(memory)
        write_thresholds(personal.store.folder, self.thresholds)
        names, _ = _asked(personal)
        return _work(lambda one: _seen(personal, one, names))


def _asked(personal: Ego) -> tuple[dict[str, str], str]:
    memories = personal.memories
    if not memories:
        raise InputError("no concept is remembered for this model; introduce one before an album is scanned")
    return {memory.identity: memory.name for memory in memories}, question_digest(personal, memories)


def _work(look: Callable[[Picture], Looked]) -> Work:
    def work(jobs: Sequence[Job]) -> list[Looked]:
        return [_tried(look, job.payload) for job in jobs]

    return work


def _tried(look: Callable[[Picture], Looked], picture: Picture) -> Looked:
    try:
        return look(picture)
    except (InputError, ContextBudgetError, OSError) as error:
        return Looked(problem=str(error))


def _remote_work(address: str, names: Mapping[str, str]) -> Work:
    there = connect(address)
    has_geometry = there.model["has_geometry"]

    def look(one: Picture) -> Looked:
        seen = there.recognize(one.source)
        boxed = has_geometry and one.kind != "video"
        return _looked(seen, names, _boxes(there.where, one.source, seen) if boxed else {})

    return _work(look)


def _seen(personal: Ego, one: Picture, names: Mapping[str, str]) -> Looked:
    source = _read_once(one, personal.config.video_frames)
    seen = personal.recognize_many([source], corrected=False)[0]
    boxed = personal.backbone.card.has_geometry and one.kind != "video"
    return _looked(seen, names, _boxes(personal.where, source, seen) if boxed else {})


def _read_once(one: Picture, count: int) -> ImageSource:
    """Give a photo as a picture, for it is looked at twice; a clip or an animation as it is, for its times are told."""
    if one.kind == "video":
        return one.source
    frames = query_frames(one.source, count)
    return frames[0].picture if len(frames) == 1 else one.source


def _boxes(where: Where, source: ImageSource, seen: Mapping[str, Recognition]) -> dict[str, Box]:
    """Say where the concepts of a photo are."""
    there = [name for name, found in seen.items() if found.probability >= LEAST_SHOWN]
    return {name: found[0].box for name, found in where(source, there).items()} if there else {}


def _looked(seen: Mapping[str, Recognition], names: Mapping[str, str], boxes: Mapping[str, Box]) -> Looked:
    concepts = {name: concept for concept, name in names.items()}
    finds = tuple(
        Find(concepts[name], one.probability, one.said, boxes.get(name), one.seen_at)
        for name, one in seen.items()
        if name in concepts
    )
    return Looked(finds, names=tuple(name for name, one in seen.items() if one.present))


def _content(path: Path) -> bytes | None:
    """Read a picture for a worker; one that is large or cannot be read is the worker's to look at, or to complain."""
    try:
        return path.read_bytes() if path.stat().st_size <= SENT_BYTES else None
    except OSError:
        return None


def _identity(described: Mapping[str, object]) -> str:
    views = described["views"]
    assert isinstance(views, list)
    return identity_of(str(described["created"]), str(views[0]["image"]) if views else "")
