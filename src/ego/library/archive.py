"""A whole library <-> one file: a zip with every memory as its `.ego` file, the corrections and the thresholds.

    about.json              {"format": "ego-library", "version": 1, "concepts": 12}
    concepts/00000001.ego   one for each concept, in stable order
    corrections.json, thresholds.json   where there are any

Members are read into the library's own files; no name in an archive ever becomes a path. Everything is read and checked
before anything is changed, and an import that was cut off goes on when it is called again.
"""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ego.atomic_file import write_new
from ego.concept import name_key
from ego.corrections import FILE_NAME as CORRECTIONS
from ego.corrections import Correction, Corrections, parse_corrections
from ego.errors import DamagedMemoryError, DuplicateConceptError, InputError, OutputError
from ego.library.contract import Library
from ego.limits import JSON_BYTES, MEMORY_BYTES, VIDEO_BYTES
from ego.memory import ConceptMemory
from ego.memory_file import dump, load
from ego.memory_listing import SUFFIX
from ego.regular_file import open_regular
from ego.thresholds import FILE as THRESHOLDS
from ego.thresholds import Thresholds, read_thresholds, write_thresholds

_ABOUT, _CONCEPTS = "about.json", "concepts/"
_SHOWN = 5  # names of a message
_BROKEN = (  # what zipfile raises for bytes that are none, or not all
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, RuntimeError, KeyError, ValueError, OSError),
)


class _About(BaseModel):
    """The first member of an archive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["ego-library"] = "ego-library"
    version: Literal[1] = 1
    concepts: int


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        added: Names that were not there before.
        replaced: Names of which the concept was another one.
        same: Names that were there as they are in the archive.
        corrections: Words of the user that were taken over.
    """

    added: tuple[str, ...]
    replaced: tuple[str, ...]
    same: tuple[str, ...]
    corrections: int


def export_library(store: Library, path: str | PathLike[str], *, replace: bool = False) -> int:
    """Write everything that a library knows to one file; the index of an album, which can be made again, stays.

    Returns:
        How many concepts it holds.

    Raises:
        InputError: If nothing is remembered, or the file exists and `replace` is off.
        OutputError: If it cannot be written.
    """
    names, target = store.names(), Path(path)
    if not names:
        raise InputError(f"{store.folder} remembers no concept; there is nothing to export")
    try:
        write_new(target, lambda file: _write(file, store, names), replace=replace)
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror or error}); choose another place") from error
    return len(names)


def import_library(store: Library, path: str | PathLike[str], *, replace: bool = False) -> Imported:
    """Take in what `export_library` wrote, beside what is there already.

    Args:
        store: The library that grows.
        path: The archive.
        replace: Where the two contradict each other, what the archive says counts: concepts of the same name, and
            thresholds. Of two words on one picture the later one counts anyhow.

    Raises:
        InputError: If it is no archive of a library.
        DamagedMemoryError: If it is damaged; nothing is changed then.
        DuplicateConceptError: If names belong to other concepts here and `replace` is off; nothing is changed then.
    """
    with open_regular(path, largest=VIDEO_BYTES, refuse=InputError) as file:
        archive = _Archive(file, str(path))
        known = {memory.name: _standing(store, memory) for memory in archive.memories()}
        archive.require_names(known)
        words, thresholds = archive.corrections(), archive.thresholds()
        taken = [name for name, standing in known.items() if standing == "taken"]
        if taken and not replace:
            raise DuplicateConceptError(
                f"the library has other concepts called {_listed(taken)}; rename those, or let the archive's take "
                "their place (--replace)"
            )
        for memory in archive.memories():
            if known[memory.name] != "same":
                store.add(memory, replace=replace)
    told = Corrections(store.folder).merge(words)
    _merge_thresholds(store.folder, thresholds, replace=replace)
    sorted_out = {kind: tuple(name for name, one in known.items() if one == kind) for kind in ("new", "taken", "same")}
    return Imported(sorted_out["new"], sorted_out["taken"], sorted_out["same"], told)


def _write(file: IO[bytes], store: Library, names: tuple[str, ...]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_ABOUT, _About(concepts=len(names)).model_dump_json())
        for number, name in enumerate(names, start=1):
            archive.writestr(f"{_CONCEPTS}{number:08}{SUFFIX}", dump(store.get(name)))
        for other in (CORRECTIONS, THRESHOLDS):
            if (store.folder / other).is_file():
                archive.writestr(other, (store.folder / other).read_bytes())


class _Archive:
    """Reads an archive; what it says of itself is not believed."""

    def __init__(self, file: IO[bytes], label: str) -> None:
        self._label = label
        try:
            self._zip = zipfile.ZipFile(file)
            about = _About.model_validate_json(self._read(_ABOUT, JSON_BYTES))
        except (*_BROKEN, ValidationError, DamagedMemoryError) as error:
            raise InputError(
                f"{label} is no library that `ego library export` wrote, or it is damaged; a single concept is read by "
                "`ego concepts import`"
            ) from error
        self._concepts = sorted(name for name in self._zip.namelist() if name.startswith(_CONCEPTS))
        if len(self._concepts) != about.concepts:
            raise self._damaged(f"it holds {len(self._concepts)} concepts and says {about.concepts}")

    def memories(self) -> Iterator[ConceptMemory]:
        """Read the concepts, in stable order."""
        return (load(self._read(name, MEMORY_BYTES)) for name in self._concepts)

    def require_names(self, names: Iterable[str]) -> None:
        """Refuse an archive in which two concepts share a name.

        Raises:
            DamagedMemoryError: If they do.
        """
        if len({name_key(name) for name in names}) < len(self._concepts):
            raise self._damaged("two of its concepts have one name")

    def corrections(self) -> tuple[Correction, ...]:
        """Read the words of the user; none if there were none."""
        if CORRECTIONS not in self._zip.namelist():
            return ()
        try:
            return parse_corrections(self._read(CORRECTIONS, JSON_BYTES))
        except ValidationError as error:
            raise self._damaged(f"{CORRECTIONS} holds no corrections") from error

    def thresholds(self) -> Thresholds:
        """Read the thresholds; none if there were none."""
        if THRESHOLDS not in self._zip.namelist():
            return Thresholds()
        try:
            return Thresholds.model_validate_json(self._read(THRESHOLDS, JSON_BYTES))
        except ValidationError as error:
            raise self._damaged(f"{THRESHOLDS} holds no thresholds") from error

    def _read(self, name: str, largest: int) -> bytes:
        try:
            with self._zip.open(name) as member:
                content = member.read(largest + 1)
        except _BROKEN as error:
            raise self._damaged(f"{name} cannot be read") from error
        if len(content) > largest:
            raise self._damaged(f"{name} is larger than {largest:,} bytes")
        return content

    def _damaged(self, what: str) -> DamagedMemoryError:
        return DamagedMemoryError(f"{self._label} is damaged ({what}); export or copy it again")


def _standing(store: Library, memory: ConceptMemory) -> Literal["new", "same", "taken"]:
    """Compare a concept of an archive with the library."""
    known = store.known([memory.name])
    if not known:
        return "new"
    return "same" if dump(known[0]) == dump(memory) else "taken"


def _merge_thresholds(folder: Path, other: Thresholds, *, replace: bool) -> None:
    own = read_thresholds(folder)
    merged = own.over(other) if not replace else other.over(own)
    if merged != own:
        write_thresholds(folder, merged)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
