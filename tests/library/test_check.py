"""What is wrong with a library: confused concepts, weak and odd references, expected precision; views taken out."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ego.corrections import Correction, Corrections
from ego.errors import InputError
from ego.library.check import CheckedConcept, check_library
from ego.library.views import remove_view
from ego.memory import ConceptMemory
from ego.store import ConceptStore
from tests.test_view_likeness import about, memory_with

X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def concept(name: str, *directions: tuple[float, ...], seed: int = 0) -> ConceptMemory:
    views = [about(direction, 10 * seed + number) for number, direction in enumerate(directions)]
    made = replace(memory_with(*views), name=name, created=f"2026-01-01T00:00:{seed:02}+00:00")
    records = [
        view.model_copy(update={"kept": tuple(range(6)), "candidates": 6, "boxes": (), "importance": (0.0,) * 6})
        for view in made.views
    ]
    fingerprint = made.fingerprint.model_copy(update={"dim": 3})
    return replace(made, views=tuple(records), fingerprint=fingerprint)


def checked(*memories: ConceptMemory, corrections: tuple[Correction, ...] = ()) -> dict[str, CheckedConcept]:
    return {one.name: one for one in check_library(memories, corrections)}


def word(memory: ConceptMemory, margin: float, *, there: bool, picture: str, model: str = "a" * 16) -> Correction:
    return Correction(concept=memory.identity, picture=picture, there=there, margin=margin, model=f"{model}-x")


def test_look_alikes_are_named_and_cost_precision() -> None:
    found = checked(concept("Bo", X, X, X), concept("Ted", Y, Y, X, seed=1), concept("Mug", Z, Z, seed=2))
    assert found["Ted"].mistaken_for == (("Bo", 1),)
    assert found["Bo"].takes == (("Ted", 1),)
    assert (found["Bo"].precision, found["Bo"].counted, found["Bo"].judged_by) == (0.75, 4, "references")
    assert (found["Mug"].precision, found["Mug"].mistaken_for) == (1.0, ())
    assert found["Ted"].odd == 2
    told = " ".join(found["Ted"].advice)
    assert "view 2 is unlike" in told
    assert "confused with Bo" in told
    assert found["Mug"].advice == (
        "view 0 kept few tokens: a closer photo says more",
        "view 1 kept few tokens: a closer photo says more",
    )


def test_a_single_reference_cannot_be_judged() -> None:
    found = checked(concept("Bo", X), concept("Ted", Y, Y, seed=1))
    assert (found["Bo"].precision, found["Bo"].judged_by, found["Bo"].counted) == (None, "", 0)
    assert any("one reference" in advice for advice in found["Bo"].advice)
    assert not checked()


def test_corrections_say_more_than_references() -> None:
    bo = concept("Bo", X, X)
    words = [word(bo, 2.0, there=True, picture=f"yes {number}") for number in range(6)]
    words += [word(bo, 1.5, there=False, picture=f"no {number}") for number in range(2)]
    words += [word(bo, -3.0, there=False, picture="clear")]
    found = checked(bo, corrections=tuple(words))["Bo"]
    assert (found.judged_by, found.counted, found.precision) == ("corrections", 8, 0.75)
    few = checked(bo, corrections=tuple(words[:4]))["Bo"]
    assert few.judged_by == "references"
    other_model = [one.model_copy(update={"model": "zzzz-x"}) for one in words]
    assert checked(bo, corrections=tuple(other_model))["Bo"].judged_by == "references"


def test_a_view_is_taken_out_and_what_was_said_stays(tmp_path: Path) -> None:
    store = ConceptStore(tmp_path)
    store.add(concept("Bo", X, Y, Z))
    before = store.get("Bo")
    Corrections(tmp_path).add(word(before, 1.0, there=True, picture="p"))
    assert torch.equal(remove_view(store, "bo", 1).tokens.rows, before.tokens.rows[[*range(6), *range(12, 18)]])
    after = remove_view(store, "Bo", 0)
    assert after.identity != before.identity
    assert Corrections(tmp_path).told(after.identity, "p") is True
    assert Corrections(tmp_path).told(before.identity, "p") is None
    with pytest.raises(InputError, match="forget the concept instead"):
        remove_view(store, "Bo", 0)
