"""What a filter index keeps on disk: files that only grow, and a manifest that says how much of them counts.

    manifest.json            replaced in one step by every change
    <generation>/fixed.npz   space and centroids
    <generation>/concepts    key, place and checksum of each concept's rows
    <generation>/codes       one centroid number per row
    <generation>/rows        one int8 vector per row, in the space of the index
    <generation>/removed     places of concepts that are no longer there

A killed writer leaves bytes behind the counted ones; the next writer overwrites them. Everything that is read is
checked: `rows` concept by concept when they are used, the rest when it is opened.
"""

import io
import json
import os
import secrets
import shutil
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Int8, Int64, UInt16
from pydantic import BaseModel, ConfigDict, ValidationError

from ego.atomic_file import make_folder, write_file
from ego.library.filter.centroids import Centroids
from ego.library.filter.space import Space

MANIFEST = "manifest.json"
_GROWING = ("concepts", "codes", "rows", "removed")
_CHECKED = ("concepts", "codes", "removed")  # by one running checksum each
CONCEPT = np.dtype([("key", "<i8"), ("start", "<i8"), ("rows", "<u4"), ("sum", "<u4")])


class DamagedIndexError(ValueError):
    """The files do not hold what the manifest says. Never leaves this package: the index is built anew."""


class Manifest(BaseModel):
    """How much of the files counts.

    Attributes:
        revision: State of the library that the index reflects.
        generation: Folder of the files.
        axes: Width of the vectors.
        trained_on: Concepts that space and centroids were fitted to.
        concepts: Concepts written, removed ones included.
        rows: Their rows.
        removed: How many of them are no longer there.
        sums: Checksum of each file as far as it counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["ego-filter"] = "ego-filter"
    version: Literal[1] = 1
    revision: str
    generation: str
    axes: int
    trained_on: int
    concepts: int = 0
    rows: int = 0
    removed: int = 0
    sums: dict[str, int]

    def length(self, name: str) -> int:
        """Bytes of a growing file that count."""
        return {
            "concepts": self.concepts * CONCEPT.itemsize,
            "codes": self.rows * 2,
            "rows": self.rows * self.axes,
            "removed": self.removed * 8,
        }[name]


@dataclass(frozen=True, eq=False)
class Block:
    """Concepts to append, one after the other; none is without rows."""

    keys: Int64[np.ndarray, " concept"]
    counts: Int64[np.ndarray, " concept"]
    codes: UInt16[np.ndarray, " row"]
    rows: Int8[np.ndarray, "row axis"]


@dataclass(frozen=True, eq=False)
class Opened:
    """A checked index; arrays are views of the files."""

    manifest: Manifest
    space: Space
    centroids: Centroids
    concepts: np.ndarray
    codes: UInt16[np.ndarray, " row"]
    rows: Int8[np.ndarray, "row axis"]
    starts: Int64[np.ndarray, " concept"]
    counts: Float32[np.ndarray, " concept"]
    present: Bool[np.ndarray, " concept"]
    stamp: tuple[int, int]

    def places(self, keys: Int64[np.ndarray, " key"]) -> Int64[np.ndarray, " place"]:
        """Where the concepts of these keys stand; unknown and removed ones are left out."""
        return np.flatnonzero(np.isin(self.concepts["key"], keys) & self.present)


class IndexFiles:
    """The files of one index. Writers must keep each other out; readers need no lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever the manifest was replaced; None without one."""
        try:
            status = (self.folder / MANIFEST).stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino

    def create(
        self, space: Space, centroids: Centroids, blocks: Iterable[Block], *, revision: str, trained_on: int
    ) -> None:
        """Write a new generation, let it count, and remove what was there before."""
        generation = f"of-{secrets.token_hex(8)}"
        place = self.folder / generation
        make_folder(place)
        fixed = io.BytesIO()
        np.savez(fixed, centre=space.centre, axes=space.axes, cells=centroids.cells, vectors=centroids.vectors,
                 starts=centroids.starts)  # fmt: skip
        write_file(place / "fixed.npz", fixed.getvalue())
        manifest = Manifest(
            revision=revision,
            generation=generation,
            axes=space.axes.shape[1],
            trained_on=trained_on,
            sums={"fixed": zlib.crc32(fixed.getbuffer()), **dict.fromkeys(_CHECKED, 0)},
        )
        for name in _GROWING:
            (place / name).touch()
        for block in blocks:
            manifest = self._append(manifest, block)
        self._commit(manifest, *_GROWING)
        for old in self.folder.glob("of-*"):
            if old.name != generation:
                shutil.rmtree(old, ignore_errors=True)

    def append(self, opened: Opened, block: Block, revision: str) -> None:
        """Add concepts behind the others."""
        manifest = self._append(opened.manifest, block).model_copy(update={"revision": revision})
        self._commit(manifest, "concepts", "codes", "rows")

    def remove(self, opened: Opened, places: Int64[np.ndarray, " gone"], revision: str) -> None:
        """Mark concepts as gone, and overwrite their rows.

        A writer killed in between leaves rows that do not fit their checksum: the index is then built anew.
        """
        with (self.folder / opened.manifest.generation / "rows").open("r+b") as file:
            for start, count in zip(opened.starts[places].tolist(), opened.counts[places].tolist(), strict=True):
                file.seek(start * opened.manifest.axes)
                file.write(bytes(int(count) * opened.manifest.axes))
        manifest = self._grow(opened.manifest, "removed", places.astype("<i8").tobytes())
        update = {"removed": manifest.removed + len(places), "revision": revision}
        self._commit(manifest.model_copy(update=update), "rows", "removed")

    def restate(self, opened: Opened, revision: str) -> None:
        """Say that the index reflects another state of the library, too."""
        self._commit(opened.manifest.model_copy(update={"revision": revision}))

    def open(self, known: Opened | None = None) -> Opened | None:
        """Check and map the files; None if there is no index.

        Args:
            known: What was opened before: only what was added since is checked.

        Raises:
            DamagedIndexError: If something is not as it was written.
        """
        for _ in range(3):  # a writer may replace the generation between two steps
            stamp = self.stamp
            if stamp is None or (known and known.stamp == stamp):
                return known if stamp else None
            try:
                return self._open(stamp, known)
            except FileNotFoundError:
                continue
        raise DamagedIndexError("its files are missing")

    def _open(self, stamp: tuple[int, int], known: Opened | None) -> Opened:
        manifest = _read_manifest(self.folder / MANIFEST)
        place = self.folder / manifest.generation
        if known and known.manifest.generation != manifest.generation:
            known = None
        space, centroids = (known.space, known.centroids) if known else _read_fixed(place / "fixed.npz", manifest)
        maps = {name: _mapped(place / name, manifest.length(name)) for name in _GROWING}
        for name in _CHECKED:
            since, so_far = (known.manifest.length(name), known.manifest.sums[name]) if known else (0, 0)
            if zlib.crc32(maps[name][since:].data, so_far) != manifest.sums[name]:
                raise DamagedIndexError(f"{name} is altered")
        concepts = maps["concepts"].view(CONCEPT)
        present = np.ones(len(concepts), bool)
        present[maps["removed"].view("<i8")] = False
        return Opened(
            manifest=manifest,
            space=space,
            centroids=centroids,
            concepts=concepts,
            codes=maps["codes"].view("<u2"),
            rows=maps["rows"].view(np.int8).reshape(manifest.rows, manifest.axes),
            starts=np.ascontiguousarray(concepts["start"]),
            counts=concepts["rows"].astype(np.float32),
            present=present,
            stamp=stamp,
        )

    def _append(self, manifest: Manifest, block: Block) -> Manifest:
        concepts = np.empty(len(block.keys), CONCEPT)
        ends = np.cumsum(block.counts)
        concepts["key"], concepts["rows"] = block.keys, block.counts
        concepts["start"] = manifest.rows + ends - block.counts
        concepts["sum"] = checksums(block.rows, ends - block.counts, block.counts)
        for name, content in (("concepts", concepts), ("codes", block.codes.astype("<u2")), ("rows", block.rows)):
            manifest = self._grow(manifest, name, content.tobytes())
        return manifest.model_copy(
            update={"concepts": manifest.concepts + len(concepts), "rows": manifest.rows + len(block.codes)}
        )

    def _grow(self, manifest: Manifest, name: str, content: bytes) -> Manifest:
        with (self.folder / manifest.generation / name).open("r+b") as file:
            file.seek(manifest.length(name))
            file.write(content)
        if name not in _CHECKED:
            return manifest
        return manifest.model_copy(update={"sums": manifest.sums | {name: zlib.crc32(content, manifest.sums[name])}})

    def _commit(self, manifest: Manifest, *grown: str) -> None:
        """Flush the files, then let the manifest count them."""
        for name in grown:
            with (self.folder / manifest.generation / name).open("r+b") as file:
                file.truncate(manifest.length(name))
                os.fsync(file.fileno())
        text = manifest.model_dump_json()
        write_file(self.folder / MANIFEST, json.dumps({"sum": zlib.crc32(text.encode()), "index": text}).encode())


def checksums(
    rows: Int8[np.ndarray, "row axis"], starts: Int64[np.ndarray, " concept"], counts: Int64[np.ndarray, " concept"]
) -> list[int]:
    """Checksum of each concept's rows."""
    view, axes = memoryview(rows.tobytes()), rows.shape[1]
    return [
        zlib.crc32(view[start * axes : (start + count) * axes])
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True)
    ]


def _read_manifest(path: Path) -> Manifest:
    try:
        outer = json.loads(path.read_bytes())
        text = str(outer["index"])
        if zlib.crc32(text.encode()) != outer["sum"]:
            raise DamagedIndexError("the manifest is altered")
        return Manifest.model_validate_json(text)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise DamagedIndexError(f"the manifest cannot be read ({error})") from error


def _read_fixed(path: Path, manifest: Manifest) -> tuple[Space, Centroids]:
    blob = path.read_bytes()
    if zlib.crc32(blob) != manifest.sums["fixed"]:
        raise DamagedIndexError("space and centroids are altered")
    with np.load(io.BytesIO(blob), allow_pickle=False) as fixed:
        space = Space(fixed["centre"], fixed["axes"])
        return space, Centroids(fixed["cells"], fixed["vectors"], fixed["starts"])


def _mapped(path: Path, length: int) -> np.ndarray:
    if path.stat().st_size < length:
        raise DamagedIndexError(f"{path.name} is shorter than it was")
    return np.memmap(path, np.uint8, "r", shape=(length,)) if length else np.empty(0, np.uint8)
