"""What `Ego` needs of a library: the folder of files and the packed catalogue both give it."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from ego.config import StoredType
from ego.memory import ConceptMemory, Fingerprint
from ego.store_contents import StoreContents


@runtime_checkable
class Library(Protocol):
    """Memories by name; the methods that `ConceptStore` documents, and errors as there."""

    @property
    def folder(self) -> Path:
        """Where it is; what belongs to it, such as corrections, is kept there, too."""
        ...

    def load_all(self, fingerprint: Fingerprint | None = None) -> StoreContents:
        """Load every memory."""
        ...

    def names(self) -> tuple[str, ...]:
        """List the concepts of all models, in stable order."""
        ...

    def get(self, name: str) -> ConceptMemory:
        """Load one memory."""
        ...

    def require_free(self, name: str) -> None:
        """Refuse a name that is taken."""
        ...

    def add(self, memory: ConceptMemory, *, replace: bool = False, stored_type: StoredType | None = None) -> None:
        """Store a memory."""
        ...

    def add_view(self, name: str, memory: ConceptMemory) -> None:
        """Add the views of `memory` to a stored concept."""
        ...

    def rename(self, name: str, new_name: str) -> None:
        """Give a concept another name."""
        ...

    def remove(self, *names: str) -> tuple[str, ...]:
        """Forget concepts for good."""
        ...

    def removable(self, *names: str) -> tuple[str, ...]:
        """Say what `remove` would remove."""
        ...

    def export(self, name: str, path: str | PathLike[str], *, replace: bool = False) -> None:
        """Write a concept to a file of its own."""
        ...

    def import_file(self, path: str | PathLike[str], name: str | None = None, *, replace: bool = False) -> str:
        """Take in a file that `export` wrote."""
        ...

    def count(self, fingerprint: Fingerprint) -> int:
        """Count the concepts that a model can read; none is loaded."""
        ...

    def first(self, fingerprint: Fingerprint, most: int) -> tuple[ConceptMemory, ...]:
        """Load the first concepts in stable order that a model can read."""
        ...

    def nearest(
        self, rows: Float[Tensor, "visual dim"], fingerprint: Fingerprint, most: int
    ) -> tuple[ConceptMemory, ...]:
        """Load the concepts most like a picture, best first."""
        ...

    def known(self, names: Iterable[str]) -> tuple[ConceptMemory, ...]:
        """Load the concepts of these names, as far as there are any."""
        ...
