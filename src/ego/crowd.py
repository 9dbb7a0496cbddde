"""A library too large to be loaded for every question -> the few memories that may matter for one picture.

Only these are loaded. The similarity filter of the paper (3.3) then fills the context from them, best first.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from ego.concept import name_key, require_type
from ego.errors import UnknownConceptError
from ego.library.contract import Library
from ego.memory import ConceptMemory, Fingerprint
from ego.visual_tokens import VisualTokens

CROWD = 1_000  # concepts from which a library is searched instead of loaded
_LISTED = 20  # names in an error
_LONGEST_NAME = 4  # words of a name that is looked for in a question


@dataclass(frozen=True)
class Crowd:
    """All concepts of a large library that a model can read.

    Attributes:
        library: The library.
        fingerprint: The model.
        most: How many of them are loaded for one picture.
        question: What is asked; concepts that it names come first, beside the others.
    """

    library: Library
    fingerprint: Fingerprint
    most: int
    question: str = ""

    def candidates(self, images: Sequence[VisualTokens]) -> tuple[ConceptMemory, ...]:
        """Load the memories that matter most, best first: those named, then those most like the picture."""
        named = [one for one in self.library.known(_names_in(self.question)) if self._reads(one)]
        if images:
            rows = torch.cat([image.rows for image in images])
            others = self.library.nearest(rows, self.fingerprint, self.most)
        else:
            others = self.library.first(self.fingerprint, self.most)
        return tuple({id(memory): memory for memory in (*named, *others)}.values())

    def _reads(self, memory: ConceptMemory) -> bool:
        return self.fingerprint.accepts(memory.fingerprint)


def remembered(
    library: Library, fingerprint: Fingerprint, names: Sequence[str] | str | None, most: int, question: str = ""
) -> tuple[ConceptMemory, ...] | Crowd:
    """Load the memories that a query is about, in stable order; a large library is to be searched instead.

    Args:
        library: The library.
        fingerprint: The model that is to read them.
        names: Concepts that enter the prompt; None: all.
        most: How many concepts of a large library are loaded for one picture.
        question: What is asked.

    Raises:
        UnknownConceptError: If there is no concept of one of the names.
    """
    if names is not None:
        require_type("names", names, Iterable, "a list of names of concepts")
        return _named(library, fingerprint, [names] if isinstance(names, str) else names)
    if library.count(fingerprint) > CROWD:
        return Crowd(library, fingerprint, most, question)
    return library.load_all(fingerprint).memories


def _named(library: Library, fingerprint: Fingerprint, names: Sequence[str]) -> tuple[ConceptMemory, ...]:
    readable = (memory for memory in library.known(names) if fingerprint.accepts(memory.fingerprint))
    known = {name_key(memory.name): memory for memory in readable}
    for name in names:
        if name_key(name) not in known:
            listed = ", ".join(memory.name for memory in library.first(fingerprint, _LISTED))
            raise UnknownConceptError(
                f"no concept named {name!r} is remembered for this model; known: {listed or 'none'}"
            )
    return tuple(sorted(known.values(), key=lambda memory: memory.place))


def _names_in(question: str) -> list[str]:
    """Every run of a few words: each might be a name."""
    words = re.findall(r"[^\s?!.,;:\"()]+", question)
    runs = [
        " ".join(words[start : start + length]) for length in range(1, _LONGEST_NAME + 1) for start in range(len(words))
    ]
    return list(dict.fromkeys(re.sub(r"['’]s$", "", run) for run in runs))
