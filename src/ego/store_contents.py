"""What a library holds, and which of it cannot be used."""

from dataclasses import dataclass

from ego.errors import ForeignMemoryError
from ego.memory import ConceptMemory, Fingerprint


@dataclass(frozen=True)
class SkippedFile:
    """A file of the store that cannot be used.

    Attributes:
        file: Its name in the folder.
        reason: What is wrong with it and what to do.
    """

    file: str
    reason: str


@dataclass(frozen=True)
class StoreContents:
    """What a store holds.

    Attributes:
        memories: Usable memories, by time of introduction, then by name.
        skipped: Files that cannot be used.
    """

    memories: tuple[ConceptMemory, ...]
    skipped: tuple[SkippedFile, ...]


def refusal(memory: ConceptMemory, fingerprint: Fingerprint | None) -> str:
    """Say why a model cannot read a memory; empty if it can, or if no model is given."""
    try:
        if fingerprint:
            memory.require(fingerprint)
    except ForeignMemoryError as error:
        return str(error)
    return ""
