"""Take a wrong reference out of a concept; what was learnt from corrections stays with the concept."""

from ego.corrections import Corrections
from ego.library.contract import Library
from ego.memory import ConceptMemory


def remove_view(store: Library, name: str, view: int) -> ConceptMemory:
    """Take a reference out of a remembered concept.

    Args:
        store: The library.
        name: The concept.
        view: Which reference, counted from 0.

    Raises:
        UnknownConceptError: If there is no concept of that name.
        InputError: If there is no such view, or it is the only one.
    """
    before = store.get(name)
    after = before.without_view(view)
    store.add(after, replace=True)
    if after.identity != before.identity:  # it was the first one
        Corrections(store.folder).follow(before.identity, after.identity)
    return store.get(name)
