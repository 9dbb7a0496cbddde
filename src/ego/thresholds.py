"""Thresholds learnt from the user's own photos, kept in the library beside the memories they are for.

A threshold belongs to a model, and to a concept or to the whole library; the concept's own counts first. A memory that
is made anew has none: what was learnt was learnt of the old one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ego.atomic_file import make_folder, write_file
from ego.errors import StoreError
from ego.library.listing import list_library
from ego.memory_story import Fingerprint, identity_of
from ego.results import Recognition
from ego.text_file import read_json

FILE = "thresholds.json"
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


@runtime_checkable
class Introduced(Protocol):
    """What a threshold can be of: a memory, or what its file tells of it."""

    @property
    def name(self) -> str:
        """The user's name for it."""
        ...

    @property
    def created(self) -> str:
        """Time of introduction."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """The model it belongs to."""
        ...


class Thresholds(BaseModel):
    """All thresholds of a library.

    Attributes:
        library: By model, the threshold of every concept without one of its own.
        concepts: By model, then by the memory's time of introduction, which stays when it is renamed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: dict[str, Probability] = {}
    concepts: dict[str, dict[str, Probability]] = {}

    def of(self, memory: Introduced) -> float | None:
        """Find the threshold of a memory; None if nothing was learnt."""
        model = _model(memory.fingerprint)
        return self.concepts.get(model, {}).get(memory.created, self.library.get(model))

    def with_library(self, fingerprint: Fingerprint, threshold: float | None) -> "Thresholds":
        """Keep a threshold for all concepts; None forgets it."""
        return self.model_copy(update={"library": _put(self.library, _model(fingerprint), threshold)})

    def with_concept(self, memory: Introduced, threshold: float | None) -> "Thresholds":
        """Keep a threshold for one concept; None forgets it."""
        model = _model(memory.fingerprint)
        mine = _put(self.concepts.get(model, {}), memory.created, threshold)
        return self.model_copy(update={"concepts": {**self.concepts, model: mine}})

    def over(self, other: "Thresholds") -> "Thresholds":
        """Join with others; where both have one, this one counts."""
        models = {**other.concepts, **self.concepts}
        concepts = {model: {**other.concepts.get(model, {}), **self.concepts.get(model, {})} for model in models}
        return Thresholds(library={**other.library, **self.library}, concepts=concepts)

    def applied(self, found: Mapping[str, Recognition], memories: Mapping[str, Introduced]) -> dict[str, Recognition]:
        """Decide anew what is present, where a threshold was learnt."""
        learnt = {name: self.of(memory) for name, memory in memories.items()}
        return {name: _decided(one, learnt.get(name)) for name, one in found.items()}


def read_thresholds(folder: Path) -> Thresholds:
    """Read the thresholds of a library; none where nothing was learnt.

    Raises:
        StoreError: If the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return Thresholds()
    try:
        return Thresholds.model_validate(read_json(path, StoreError))
    except ValidationError as error:
        raise StoreError(f"{path} holds no thresholds; remove it, and tune again") from error


def learnt_decisions(
    store: object, seen: Sequence[Mapping[str, Recognition]], memories: Sequence[Introduced]
) -> list[dict[str, Recognition]]:
    """Decide by what was learnt for a library, if it has a folder to keep that in.

    Raises:
        StoreError: If what was learnt cannot be read.
    """
    folder = getattr(store, "folder", None)
    thresholds = Thresholds() if folder is None else read_thresholds(Path(folder))
    known = {memory.name: memory for memory in memories}
    return [thresholds.applied(one, known) for one in seen]


def learnt_thresholds(library: Path) -> dict[str, float]:
    """Find what was learnt of each concept of a library, by its identity; neither a model nor torch is loaded.

    Raises:
        StoreError: If what was learnt, or the library, cannot be read.
    """
    thresholds = read_thresholds(library)
    if thresholds == Thresholds():
        return {}
    stories = list_library(library).stories
    learnt = {identity_of(one.created, one.views[0].image if one.views else ""): thresholds.of(one) for one in stories}
    return {concept: threshold for concept, threshold in learnt.items() if threshold is not None}


def write_thresholds(folder: Path, thresholds: Thresholds) -> Path:
    """Write the thresholds of a library.

    Raises:
        StoreError: If they cannot be written.
    """
    path = folder / FILE
    try:
        make_folder(folder)
        write_file(path, (thresholds.model_dump_json(indent=1) + "\n").encode())
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror or error}); check permissions") from error
    return path


def _model(fingerprint: Fingerprint) -> str:
    return f"{fingerprint.model_type}-{fingerprint.weights[:16]}-{fingerprint.processor[:16]}"


def _put(entries: Mapping[str, float], key: str, value: float | None) -> dict[str, float]:
    others = {name: old for name, old in entries.items() if name != key}
    return others if value is None else {**others, key: value}


def _decided(one: Recognition, threshold: float | None) -> Recognition:
    if threshold is None or one.said == "not asked":
        return one
    return replace(one, threshold=threshold, present=one.probability >= threshold)
