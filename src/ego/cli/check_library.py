"""`ego check-library`: which concepts are confused, which references are weak or odd, what precision to expect."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table

from ego.cli.opening import NOTHING_KNOWN, open_store
from ego.cli.options import JsonOption, LibraryOption
from ego.cli.output import Output
from ego.cli.settings import resolve

if TYPE_CHECKING:
    from ego.library.check import CheckedConcept
    from ego.memory import ConceptMemory


def check_library(*, library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Look for concepts that are mistaken for each other, for weak references, and for one unlike the others.

    Every reference is held out and compared with all the others; your corrections count, too. No model is loaded.
    """
    from ego.corrections import Corrections
    from ego.library.check import check_library as check
    from ego.thresholds import read_thresholds

    output, settings = Output(as_json=as_json), resolve(library=library)
    store = open_store(settings)
    words, thresholds = Corrections(store.folder).all(), read_thresholds(store.folder)
    standard = settings.method.get("threshold", 0.5)
    checked: list[CheckedConcept] = []
    with output.working("comparing references"):
        contents = store.load_all()
        for memories in _by_model(contents.memories):
            limits = {memory.name: thresholds.of(memory) for memory in memories}
            checked += check(memories, words, {name: standard if one is None else one for name, one in limits.items()})
    for skipped in contents.skipped:
        output.note(f"left aside {skipped.file}: {skipped.reason}")
    if not checked:
        output.note(NOTHING_KNOWN)
    parts: list[RenderableType] = [_table(checked), *_summary(checked)] if checked else []
    output.result([_document(one) for one in checked], *parts)


def _by_model(memories: "Sequence[ConceptMemory]") -> "list[list[ConceptMemory]]":
    """Put together what one model reads."""
    groups: dict[tuple[str, str], list[ConceptMemory]] = defaultdict(list)
    for memory in memories:
        groups[memory.fingerprint.weights, memory.fingerprint.processor].append(memory)
    return list(groups.values())


def _document(one: "CheckedConcept") -> dict[str, Any]:
    return {**asdict(one), "advice": one.advice}


def _table(checked: "Sequence[CheckedConcept]") -> Table:
    table = Table("concept", "references", "expected precision", "what to do")
    for one in checked:
        expected = "-" if one.precision is None else f"{one.precision:.2f} (of {one.counted}, by {one.judged_by})"
        table.add_row(one.name, str(one.views), expected, "; ".join(one.advice) or "nothing")
    return table


def _summary(checked: "Sequence[CheckedConcept]") -> list[str]:
    """Name who is taken for whom, most often first."""
    pairs = sorted((-count, one.name, other) for one in checked for other, count in one.mistaken_for)
    return [f"{name} is taken for {other}: {-count} of its references" for count, name, other in pairs]
