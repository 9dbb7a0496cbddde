"""Which of the many memories of a folder may be in a picture: the filter index over its cards."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from ego.library.filter.index import FilterIndex
from ego.memory import ConceptMemory, Fingerprint
from ego.memory_folder import Card, MemoryFolder

FOLDER = ".filter"  # in the library; one index per model below it
_Listing: TypeAlias = Callable[[], Mapping[Path, Card]]


class FolderSource:
    """The memories of one model, as an index reads them."""

    def __init__(self, files: MemoryFolder, fingerprint: Fingerprint) -> None:
        self._files, self._fingerprint = files, fingerprint
        self._seen: Mapping[Path, Card] | None = None
        self.cards: dict[int, Card] = {}

    def revision(self) -> str:
        """Name the present state."""
        listed = self._files.cards()[0]
        if listed is not self._seen:
            self._seen = listed
            self.cards = {card.key: card for card in listed.values() if self._fingerprint.accepts(card.fingerprint)}
        return f"{len(self.cards)}-{sum(self.cards) % 2**64:x}"

    def keys(self) -> Int64[np.ndarray, " concept"]:
        """List the keys of all concepts."""
        self.revision()
        return np.fromiter(self.cards, np.int64, len(self.cards))

    def changes(self, since: str) -> None:
        """Not known: files come and go by themselves."""

    def rows(
        self, keys: Int64[np.ndarray, " key"]
    ) -> tuple[Int64[np.ndarray, " found"], Int64[np.ndarray, " found"], Float32[np.ndarray, "row dim"]]:
        """Read concepts that are still there."""
        found = {int(key): self.cards[int(key)] for key in keys if int(key) in self.cards}
        by_file = {card.file: key for key, card in found.items()}
        memories = self._files.load(found.values(), keep=False)[0]
        rows = [memory.tokens.rows.float() for memory in memories.values()]
        return (
            np.array([by_file[path.name] for path in memories], np.int64),
            np.array([len(one) for one in rows], np.int64),
            torch.cat([torch.empty(0, self._fingerprint.dim), *rows]).numpy(),
        )


class FolderFilter:
    """Finds memories of a folder by similarity.

    Args:
        folder: The library.
        files: Its files.
    """

    def __init__(self, folder: Path, files: MemoryFolder) -> None:
        self._folder, self._files = folder, files
        self._indices: dict[str, tuple[FolderSource, FilterIndex]] = {}

    def nearest(
        self, rows: Float[Tensor, "visual dim"], fingerprint: Fingerprint, most: int
    ) -> tuple[ConceptMemory, ...]:
        """Load the concepts most like a picture, best first."""
        model = model_key(fingerprint)
        if model not in self._indices:
            source = FolderSource(self._files, fingerprint)
            self._indices[model] = source, FilterIndex(self._folder / FOLDER / model, source)
        source, index = self._indices[model]
        found = index.likeliest(rows.float().cpu().numpy(), most)
        cards = [source.cards[one.key] for one in found if one.key in source.cards]
        return tuple(self._files.load(cards)[0].values())


def model_key(fingerprint: Fingerprint) -> str:
    """Name models that read each other's memories alike."""
    return f"{fingerprint.weights[:16]}-{fingerprint.processor[:16]}-{fingerprint.dim}"
