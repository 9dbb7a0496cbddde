"""Catalogue: memories by the million in one SQLite file, with the methods of `ConceptStore`.

Each memory is kept as the bytes of its `.ego` file, compressed, so nothing is lost on the way in or out; names, times
and models stand beside it. Every change is one transaction: whatever happens, there is the old state or the new one.
"""

import zlib
from collections.abc import Iterable, Sequence
from itertools import islice
from os import PathLike

from jaxtyping import Float
from torch import Tensor

from ego.atomic_file import make_folder, write_file, write_new
from ego.concept import clean_name, name_key, possible_key
from ego.config import StoredType
from ego.errors import DuplicateConceptError, InputError, MemoryFileError, UnknownConceptError
from ego.library.catalogue_source import CatalogueSource, in_portions, model_of, unpacked
from ego.library.database import Database
from ego.library.filter.index import FilterIndex
from ego.library.folder_filter import FOLDER, model_key
from ego.memory import ConceptMemory, Fingerprint
from ego.memory_file import dump, load
from ego.regular_file import possible_path
from ego.store_contents import SkippedFile, StoreContents, refusal

_KEPT = 1_024  # memories that stay loaded


class Catalogue:
    """Memories in one file; any number of processes and threads may use it at once.

    Args:
        folder: Where the file and its filter index are; made by the first change if it is missing.

    Raises:
        StoreError: From every method, if the file cannot be read or written.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = possible_path(folder)
        self._database = Database(self.folder)
        self._indices: dict[str, FilterIndex] = {}
        self._loaded: dict[tuple[int, str], ConceptMemory] = {}

    def load_all(self, fingerprint: Fingerprint | None = None) -> StoreContents:
        """Load every memory; one that is damaged or of another model is named and the others keep working."""
        memories: list[ConceptMemory] = []
        skipped: list[SkippedFile] = []
        for identity, name in self._database.rows("SELECT id, name FROM concepts ORDER BY created, name"):
            try:
                memory = self._load([identity])[0]
            except MemoryFileError as error:
                skipped.append(SkippedFile(name, str(error)))
                continue
            reason = refusal(memory, fingerprint)
            if reason:
                skipped.append(SkippedFile(name, reason))
            else:
                memories.append(memory)
        return StoreContents(tuple(memories), tuple(skipped))

    def names(self) -> tuple[str, ...]:
        """List the concepts of all models, in stable order."""
        return tuple(name for (name,) in self._database.rows("SELECT name FROM concepts ORDER BY created, name"))

    def get(self, name: str) -> ConceptMemory:
        """Load one memory.

        Raises:
            UnknownConceptError: If there is none of that name.
        """
        return self._load([self._identity(name)])[0]

    def require_free(self, name: str) -> None:
        """Refuse a name that is taken.

        Raises:
            DuplicateConceptError: If it is.
        """
        if self._find(name) is not None:
            raise DuplicateConceptError(
                f"{name!r} is remembered already; choose another name or another library, or replace it (--replace)"
            )

    def add(self, memory: ConceptMemory, *, replace: bool = False, stored_type: StoredType | None = None) -> None:
        """Store a memory, as `ConceptStore.add` does."""
        self.add_many([memory], replace=replace, stored_type=stored_type)

    def add_many(
        self, memories: Iterable[ConceptMemory], *, replace: bool = False, stored_type: StoredType | None = None
    ) -> int:
        """Store many memories, some hundred in a transaction.

        Returns:
            How many.

        Raises:
            DuplicateConceptError: If a name is taken and `replace` is off; transactions before it stay.
        """
        count = 0
        for some in in_portions(memories):
            with self._database.changing():
                for memory in some:
                    self._put(memory, replace=replace, stored_type=stored_type)
            count += len(some)
        return count

    def add_view(self, name: str, memory: ConceptMemory) -> None:
        """Add the views of `memory` to a stored concept; see `ConceptStore.add_view`."""
        with self._database.changing():
            known = self.get(name)
            more = load(dump(memory.on(known.tokens.rows.dtype)))
            self._put(known.with_views_of(more), replace=True)

    def rename(self, name: str, new_name: str) -> None:
        """Give a concept another name; see `ConceptStore.rename`."""
        with self._database.changing():
            identity = self._identity(name)
            if name_key(new_name) != name_key(name) and self._find(new_name) is not None:
                raise DuplicateConceptError(f"{new_name!r} is remembered already; choose another name")
            renamed = self._load([identity])[0].renamed(clean_name(new_name))
            values = (name_key(renamed.name), renamed.name, _packed(renamed, None), identity)
            self._database.write("UPDATE concepts SET key = ?, name = ?, memory = ? WHERE id = ?", values)

    def remove(self, *names: str) -> tuple[str, ...]:
        """Forget concepts for good; all must be known before the first one goes.

        Raises:
            UnknownConceptError: If there is none of such a name.
        """
        with self._database.changing():
            found = self._found(names)
            for identity in found:
                self._delete(identity)
        return tuple(found.values())

    def removable(self, *names: str) -> tuple[str, ...]:
        """Say what `remove` would remove, each once.

        Raises:
            UnknownConceptError: If there is none of such a name.
        """
        return tuple(self._found(names).values())

    def export(self, name: str, path: str | PathLike[str], *, replace: bool = False) -> None:
        """Write a concept to a file of its own; see `ConceptStore.export`."""
        target = possible_path(path)
        try:
            write_new(target, dump(self.get(name)), replace=replace)
        except OSError as error:
            raise InputError(f"{target} cannot be written ({error.strerror}); check folder and free space") from error

    def export_all(self, folder: str | PathLike[str]) -> int:
        """Write every memory to a file of its own: the folder is then a library, too.

        Returns:
            How many.
        """
        target, count = possible_path(folder), 0
        try:
            make_folder(target)
            for (identity,) in self._database.rows("SELECT id FROM concepts ORDER BY id"):
                (blob,) = self._database.one("SELECT memory FROM concepts WHERE id = ?", (identity,))
                write_file(target / f"{identity:016x}.ego", zlib.decompress(blob))
                count += 1
        except OSError as error:
            raise InputError(f"{target} cannot be written ({error.strerror}); check folder and free space") from error
        return count

    def import_file(self, path: str | PathLike[str], name: str | None = None, *, replace: bool = False) -> str:
        """Take in a file that `export` wrote; see `ConceptStore.import_file`."""
        memory = load(path)
        memory = memory.renamed(clean_name(memory.name if name is None else name))
        self.add(memory, replace=replace)
        return memory.name

    def import_all(self, paths: Iterable[str | PathLike[str]], *, replace: bool = False) -> int:
        """Take in many files, some hundred in a transaction.

        Returns:
            How many.
        """
        return self.add_many((load(path) for path in paths), replace=replace)

    def count(self, fingerprint: Fingerprint) -> int:
        """Count the concepts that a model can read; none is loaded."""
        counted = self._database.one("SELECT count(*) FROM concepts WHERE model = ?", (model_of(fingerprint),))
        return int(counted[0])

    def first(self, fingerprint: Fingerprint, most: int) -> tuple[ConceptMemory, ...]:
        """Load the first concepts in stable order that a model can read."""
        query = "SELECT id FROM concepts WHERE model = ? ORDER BY created, name LIMIT ?"
        return self._load([identity for (identity,) in self._database.rows(query, (model_of(fingerprint), most))])

    def known(self, names: Iterable[str]) -> tuple[ConceptMemory, ...]:
        """Load the concepts of these names, as far as there are any."""
        found = (self._find(name) for name in names if possible_key(name))
        return self._load(list(dict.fromkeys(identity for identity in found if identity is not None)))

    def nearest(
        self, rows: Float[Tensor, "visual dim"], fingerprint: Fingerprint, most: int
    ) -> tuple[ConceptMemory, ...]:
        """Load the concepts most like a picture, best first; see `ConceptStore.nearest`."""
        model = model_key(fingerprint)
        if model not in self._indices:
            source = CatalogueSource(self._database, fingerprint)
            self._indices[model] = FilterIndex(self.folder / FOLDER / model, source)
        return self._load([found.key for found in self._indices[model].likeliest(rows.float().cpu().numpy(), most)])

    def _put(self, memory: ConceptMemory, *, replace: bool, stored_type: StoredType | None = None) -> None:
        known = self._find(memory.name)
        if known is not None and not replace:
            self.require_free(memory.name)
        blob = _packed(memory, stored_type)
        if known is not None:
            self._delete(known)  # and not changed: an id always means the same rows
        place, model = memory.place[0].astimezone().timestamp(), model_of(memory.fingerprint)
        values = (name_key(memory.name), memory.name, place, model, len(memory.tokens), blob)
        identity = self._database.write(
            "INSERT INTO concepts (key, name, created, model, tokens, memory) VALUES (?, ?, ?, ?, ?, ?)", values
        )
        self._database.touch(model, identity)

    def _delete(self, identity: int) -> None:
        (model,) = self._database.one("SELECT model FROM concepts WHERE id = ?", (identity,))
        self._database.write("DELETE FROM concepts WHERE id = ?", (identity,))
        self._database.touch(model, identity)

    def _find(self, name: str) -> int | None:
        found = list(self._database.rows("SELECT id FROM concepts WHERE key = ?", (name_key(name),)))
        return int(found[0][0]) if found else None

    def _found(self, names: Iterable[str]) -> dict[int, str]:
        identities = (self._identity(name) for name in names)
        return {one: self._database.one("SELECT name FROM concepts WHERE id = ?", (one,))[0] for one in identities}

    def _identity(self, name: str) -> int:
        found = self._find(name)
        if found is None:
            raise UnknownConceptError(f"no concept is called {name!r}; check the spelling")
        return found

    def _load(self, identities: Sequence[int]) -> tuple[ConceptMemory, ...]:
        """Load memories in the order given; those that are gone meanwhile are left out."""
        found: list[ConceptMemory] = []
        for identity in identities:
            for name, blob in self._database.rows("SELECT name, memory FROM concepts WHERE id = ?", (identity,)):
                known = self._loaded.pop((identity, name), None)
                memory = known or unpacked(blob)
                self._loaded[identity, name] = memory
                found.append(memory)
        for old in list(islice(self._loaded, max(0, len(self._loaded) - _KEPT))):
            del self._loaded[old]
        return tuple(found)


def _packed(memory: ConceptMemory, stored_type: StoredType | None) -> bytes:
    return zlib.compress(dump(memory, stored_type), 1)
