"""ConceptStore: memories in a folder, one `.ego` file each; the folder is the truth, there is no index.

Every change is one atomic step, made under a lock between processes; whatever happens in between, the folder holds
either the old state or the new one. File names are random and stay with a concept when it is renamed: names never
become paths.
"""

import difflib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from os import PathLike
from pathlib import Path

from filelock import FileLock, Timeout
from jaxtyping import Float
from torch import Tensor

from ego.atomic_file import OWN_FILE, clear_unfinished, make_folder, remove_file, write_file, write_new
from ego.concept import clean_name, name_key, possible_key
from ego.config import StoredType
from ego.corrections import Corrections
from ego.errors import (
    DuplicateConceptError,
    StoreError,
    UnknownConceptError,
)
from ego.library.folder_filter import FolderFilter
from ego.memory import ConceptMemory, Fingerprint
from ego.memory_file import dump, load
from ego.memory_folder import Card, MemoryFolder
from ego.memory_listing import SUFFIX
from ego.regular_file import possible_path
from ego.store_contents import SkippedFile, StoreContents, refusal

LOCK_SECONDS = 30.0  # longest wait for another process
_LOCK = ".lock"


class ConceptStore:
    """Memories in a folder; any number of processes may use it at once.

    Names are found whatever their case ("bo" finds "Bo"). A memory that has not changed on disk is the same object
    every time, so that a prefill made from it can be kept.

    Args:
        folder: Where the files are; made by the first change if it is missing.

    Raises:
        StoreError: From every method, if the folder cannot be read or written.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = possible_path(folder)
        self._files = MemoryFolder(self.folder)
        self._filter = FolderFilter(self.folder, self._files)
        with _reporting(self.folder):
            if self.folder.exists() and not self.folder.is_dir():
                raise StoreError(f"{self.folder} is a file; give a folder for the memories")

    def load_all(self, fingerprint: Fingerprint | None = None) -> StoreContents:
        """Load every memory; a damaged or foreign file is named and the others keep working.

        Args:
            fingerprint: The model that is to read them; None accepts memories of any model.
        """
        entries, skipped = self._scan()
        foreign = {path: reason for path, memory in entries.items() if (reason := refusal(memory, fingerprint))}
        return StoreContents(
            memories=tuple(memory for path, memory in entries.items() if path not in foreign),
            skipped=tuple(SkippedFile(path.name, reason) for path, reason in sorted((skipped | foreign).items())),
        )

    def names(self) -> tuple[str, ...]:
        """List the concepts of all models, in stable order."""
        return tuple(card.name for card in self._cards().values())

    def count(self, fingerprint: Fingerprint) -> int:
        """Count the concepts that a model can read; none is loaded."""
        return sum(fingerprint.accepts(card.fingerprint) for card in self._cards().values())

    def first(self, fingerprint: Fingerprint, most: int) -> tuple[ConceptMemory, ...]:
        """Load the first concepts in stable order that a model can read."""
        readable = (card for card in self._cards().values() if fingerprint.accepts(card.fingerprint))
        return self._loaded(islice(readable, most))

    def known(self, names: Iterable[str]) -> tuple[ConceptMemory, ...]:
        """Load the concepts of these names, as far as there are any."""
        cards = {name_key(card.name): card for card in self._cards().values()}
        wanted = dict.fromkeys(key for name in names if (key := possible_key(name)) in cards)
        return self._loaded(cards[key] for key in wanted)

    def nearest(
        self, rows: Float[Tensor, "visual dim"], fingerprint: Fingerprint, most: int
    ) -> tuple[ConceptMemory, ...]:
        """Load the concepts most like a picture, best first.

        Args:
            rows: Visual tokens of the picture.
            fingerprint: The model they come from.
            most: How many to load.
        """
        with _reporting(self.folder):
            return self._filter.nearest(rows, fingerprint, most)

    def get(self, name: str) -> ConceptMemory:
        """Load one memory.

        Raises:
            UnknownConceptError: If there is none of that name.
        """
        return self._known(name)[1]

    def require_free(self, name: str) -> None:
        """Refuse a name that is taken.

        Raises:
            DuplicateConceptError: If it is.
        """
        found = self._find(name)
        if found:
            raise DuplicateConceptError(
                f"{found[1].name!r} is remembered already, made with {found[1].fingerprint.model_id}; "
                "choose another name, replace it (--replace) or, with that model, add a view to it (--add-view)"
            )

    def add(self, memory: ConceptMemory, *, replace: bool = False, stored_type: StoredType | None = None) -> None:
        """Store a memory.

        Args:
            memory: What to store.
            replace: Put it in the place of one of the same name.
            stored_type: Number format of the rows; None leaves them as they are.

        Raises:
            DuplicateConceptError: If the name is taken and `replace` is off.
        """
        blob = dump(memory, stored_type)
        with self._changing():
            if not replace:
                self.require_free(memory.name)
            found = self._find(memory.name)
            write_file(found[0] if found else self.folder / f"{secrets.token_hex(16)}{SUFFIX}", blob)

    def add_view(self, name: str, memory: ConceptMemory) -> None:
        """Add the views of `memory` to a stored concept, in the number format it is stored in.

        Raises:
            UnknownConceptError: If there is no concept of that name.
            ForeignMemoryError: If the two were made by different models.
        """
        with self._changing():
            path, known = self._known(name)
            more = load(dump(memory.on(known.tokens.rows.dtype)))  # also brings it to the CPU
            write_file(path, dump(known.with_views_of(more)))

    def rename(self, name: str, new_name: str) -> None:
        """Give a concept another name, in one step.

        Raises:
            UnknownConceptError: If there is no concept of that name.
            DuplicateConceptError: If the new name is taken by another one.
            ConceptNameError: If the new name cannot be used.
        """
        with self._changing():
            path, memory = self._known(name)
            if name_key(new_name) != name_key(name) and self._find(new_name):
                raise DuplicateConceptError(f"{new_name!r} is remembered already; choose another name")
            write_file(path, dump(memory.renamed(clean_name(new_name))))

    def remove(self, *names: str) -> tuple[str, ...]:
        """Forget concepts for good; all must be known before the first one goes.

        Args:
            names: Concepts, or names of files that cannot be used, as `load_all` gives them.

        Returns:
            What was removed, each once.

        Raises:
            UnknownConceptError: If there is none of such a name.
        """
        with self._changing():
            removed = self._to_remove(names)
            for path, found in removed.items():
                remove_file(path)
                if not isinstance(found, str):
                    Corrections(self.folder).forget(found.identity)
        return _removed_names(removed)

    def removable(self, *names: str) -> tuple[str, ...]:
        """Say what `remove` would remove, each once.

        Raises:
            UnknownConceptError: If there is none of such a name.
        """
        return _removed_names(self._to_remove(names))

    def export(self, name: str, path: str | PathLike[str], *, replace: bool = False) -> None:
        """Write a concept to a file of its own, to keep or to pass on.

        Raises:
            UnknownConceptError: If there is none of that name.
            InputError: If the file exists and `replace` is off, or is no regular file.
        """
        blob, target = dump(self.get(name)), possible_path(path)
        with _reporting(target):
            write_new(target, blob, replace=replace)

    def import_file(self, path: str | PathLike[str], name: str | None = None, *, replace: bool = False) -> str:
        """Take in a file that `export` wrote, under its own name or another one.

        Returns:
            The name it has now.

        Raises:
            InputError: If the file cannot be opened, or is no regular file.
            DamagedMemoryError: If it is not a usable memory file.
            DuplicateConceptError: If the name is taken and `replace` is off.
        """
        memory = load(path)
        memory = memory.renamed(clean_name(memory.name if name is None else name))
        self.add(memory, replace=replace)
        return memory.name

    def _find(self, name: str) -> tuple[Path, ConceptMemory] | None:
        key = name_key(name)
        cards = [card for card in self._cards().values() if name_key(card.name) == key]
        return next(iter(self._files.load(cards)[0].items()), None)

    def _known(self, name: str) -> tuple[Path, ConceptMemory]:
        found = self._find(name)
        if found is None:
            raise UnknownConceptError(f"no concept is called {name!r}; {_known_names(name, self.names())}")
        return found

    def _to_remove(self, names: Sequence[str]) -> dict[Path, ConceptMemory | str]:
        """Find the files that names stand for: memories, or names of files that cannot be used."""
        unusable = self._scan()[1] if any(name.endswith(SUFFIX) for name in names) else {}
        files = {path.name: path for path in unusable}
        return dict((files[name], name) if name in files else self._known(name) for name in names)

    def _cards(self) -> dict[Path, Card]:
        with _reporting(self.folder):
            return self._files.cards()[0]

    def _loaded(self, cards: Iterable[Card]) -> tuple[ConceptMemory, ...]:
        return tuple(self._files.load(cards)[0].values())

    def _scan(self) -> tuple[dict[Path, ConceptMemory], dict[Path, str]]:
        with _reporting(self.folder):
            return self._files.scan()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep other writers out, and clear away what a killed one left behind."""
        with _reporting(self.folder):
            make_folder(self.folder)
            with FileLock(self.folder / _LOCK, timeout=LOCK_SECONDS, mode=OWN_FILE):
                clear_unfinished(self.folder)
                yield


def _removed_names(found: Mapping[Path, ConceptMemory | str]) -> tuple[str, ...]:
    return tuple(one if isinstance(one, str) else one.name for one in found.values())


def _known_names(wanted: str, names: tuple[str, ...]) -> str:
    similar = difflib.get_close_matches(wanted, names, n=1)
    if similar:
        return f"did you mean {similar[0]!r}?"
    return f"known: {', '.join(names)}" if names else "the store is empty, introduce a concept first"


@contextmanager
def _reporting(place: Path) -> Iterator[None]:
    """Turn what the system refuses into a StoreError."""
    try:
        yield
    except Timeout as error:
        raise StoreError(
            f"another process has been changing {place} for {LOCK_SECONDS:.0f} seconds; try again when it is done"
        ) from error
    except OSError as error:
        raise StoreError(
            f"{place} cannot be used ({error.strerror or error}); check permissions and free space; nothing was changed"
        ) from error
