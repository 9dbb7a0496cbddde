"""Memories of a catalogue, read for its filter index."""

import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float32, Int64

from ego.errors import DamagedMemoryError
from ego.library.database import Database
from ego.memory import ConceptMemory, Fingerprint
from ego.memory_file import load

_AT_ONCE = 500  # memories of one transaction or one look-up
Item = TypeVar("Item")


class CatalogueSource:
    """The memories of one model, as an index reads them."""

    def __init__(self, database: Database, fingerprint: Fingerprint) -> None:
        self._database, self._model, self._dim = database, model_of(fingerprint), fingerprint.dim

    def revision(self) -> str:
        """Name the present state."""
        return self._database.revision(self._model)

    def keys(self) -> Int64[np.ndarray, " concept"]:
        """List the keys of all concepts."""
        found = self._database.rows("SELECT id FROM concepts WHERE model = ? ORDER BY id", (self._model,))
        return np.fromiter((identity for (identity,) in found), np.int64)

    def changes(self, since: str) -> tuple[Int64[np.ndarray, " there"], Int64[np.ndarray, " gone"]] | None:
        """List what may have come and gone since a state; None if that is too long ago."""
        touched = self._database.touched(self._model, since)
        if touched is None:
            return None
        there = [one for one in touched if self._database.one("SELECT count(*) FROM concepts WHERE id = ?", (one,))[0]]
        return np.array(there, np.int64), np.array(sorted(touched - set(there)), np.int64)

    def rows(
        self, keys: Int64[np.ndarray, " key"]
    ) -> tuple[Int64[np.ndarray, " found"], Int64[np.ndarray, " found"], Float32[np.ndarray, "row dim"]]:
        """Read concepts that are still there."""
        found = {identity: unpacked(blob).tokens.rows.float() for identity, blob in self._blobs(keys)}
        return (
            np.array(list(found), np.int64),
            np.array([len(rows) for rows in found.values()], np.int64),
            torch.cat([torch.empty(0, self._dim), *found.values()]).numpy(),
        )

    def _blobs(self, keys: Int64[np.ndarray, " key"]) -> Iterator[tuple[int, bytes]]:
        for some in in_portions(keys.tolist()):
            marks = ",".join("?" * len(some))
            yield from self._database.rows(f"SELECT id, memory FROM concepts WHERE id IN ({marks}) ORDER BY id", some)


def in_portions(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """Cut into portions that one transaction or look-up takes."""
    rest = iter(items)
    while some := tuple(islice(rest, _AT_ONCE)):
        yield some


def unpacked(blob: bytes) -> ConceptMemory:
    """Read a memory as the catalogue keeps it.

    Raises:
        DamagedMemoryError: If it is not as it was written.
    """
    try:
        return load(zlib.decompress(blob))
    except zlib.error as error:
        raise DamagedMemoryError(f"a memory of the catalogue is damaged ({error}); restore it from a copy") from error


def model_of(fingerprint: Fingerprint) -> str:
    """Name models that read each other's memories alike."""
    return f"{fingerprint.model_type} {fingerprint.dim} {fingerprint.weights} {fingerprint.processor}"
