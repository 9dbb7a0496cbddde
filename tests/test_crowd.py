"""A library that is searched for every picture instead of being loaded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ego.crowd
from ego.config import EgoConfig
from ego.crowd import Crowd
from ego.errors import UnknownConceptError
from ego.memory import ConceptMemory
from ego.personalizer import Ego
from ego.similarity_filter import fill
from ego.store import ConceptStore
from tests.backbones.tiny import picture
from tests.examples_of_memories import FINGERPRINT, memory_of, tokens_of

DIM = 16
WIDE = FINGERPRINT.model_copy(update={"dim": DIM})


def concept(name: str, seed: int) -> ConceptMemory:
    rows = torch.from_numpy(np.random.default_rng(seed).standard_normal((1, DIM)).astype(np.float32))
    memory = memory_of(name, rows)
    return replace(memory, fingerprint=WIDE, views=(memory.views[0].model_copy(update={"kept": (1,)}),))


@pytest.fixture
def store(tmp_path: Path) -> ConceptStore:
    library = ConceptStore(tmp_path / "library")
    for number in range(60):
        library.add(concept(f"thing {number}", number))
    return library


def test_the_concept_in_the_picture_comes_first(store: ConceptStore) -> None:
    seen = tokens_of(torch.cat([store.get("thing 7").tokens.rows, store.get("thing 31").tokens.rows]))
    found = Crowd(store, WIDE, 60).candidates([seen])
    assert {memory.name for memory in found[:2]} == {"thing 7", "thing 31"}
    assert len(found) == 60


def test_named_concepts_come_before_all(store: ConceptStore) -> None:
    seen = tokens_of(store.get("thing 7").tokens.rows)
    found = Crowd(store, WIDE, 60, "Is it Thing 50's, or “thing 3”?").candidates([seen])
    assert [memory.name for memory in found[:2]] == ["thing 50", "thing 7"]


def test_no_more_are_loaded_than_asked_for_beside_those_named(store: ConceptStore) -> None:
    seen = tokens_of(store.get("thing 7").tokens.rows)
    every = [memory.name for memory in Crowd(store, WIDE, 60).candidates([seen])]
    some = Crowd(store, WIDE, 3, f"Is it {every[-1]}?").candidates([seen])
    assert [memory.name for memory in some] == [every[-1], *every[:3]]


def test_without_a_picture_the_first_ones_count(store: ConceptStore) -> None:
    assert [one.name for one in Crowd(store, WIDE, 60).candidates([])] == list(store.names())


def test_changes_of_the_library_are_seen(store: ConceptStore) -> None:
    seen = tokens_of(store.get("thing 7").tokens.rows)
    crowd = Crowd(store, WIDE, 60)
    crowd.candidates([seen])
    store.rename("thing 7", "other")
    assert crowd.candidates([seen])[0].name == "other"
    store.remove("other")
    assert "other" not in {memory.name for memory in crowd.candidates([seen])}
    store.add(concept("back", 7))
    assert crowd.candidates([seen])[0].name == "back"


def test_other_models_memories_are_no_candidates(store: ConceptStore) -> None:
    store.add(memory_of("foreign"))
    assert store.count(WIDE) == 60
    assert "foreign" not in {memory.name for memory in Crowd(store, WIDE, 60, "foreign?").candidates([])}


def test_filling_keeps_the_best_in_stable_order() -> None:
    memories = [memory_of(name, torch.eye(2)) for name in "cab"]
    kept = fill(memories, budget=4)
    assert ([one.name for one in kept.kept], kept.dropped) == (["a", "c"], ("b",))


def test_a_personalizer_of_a_large_library(
    tiny_backbone: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ego.crowd, "CROWD", 2)
    personal = Ego(tiny_backbone, ConceptStore(tmp_path))  # type: ignore[arg-type]
    photos = [picture(seed=seed) for seed in range(4)]
    for number, photo in enumerate(photos):
        personal.introduce(ego.Concept(f"thing {number}", images=[photo], keywords="a small dog"))
    all_at_once = Ego(tiny_backbone, ConceptStore(tmp_path))  # type: ignore[arg-type]
    monkeypatch.setattr(ego.crowd, "CROWD", 2)
    searched = personal.recognize(photos[2])
    monkeypatch.setattr(ego.crowd, "CROWD", 1000)
    whole = all_at_once.recognize(photos[2])
    assert searched.keys() == whole.keys()
    assert all(searched[name].probability == pytest.approx(whole[name].probability, abs=1e-5) for name in whole)
    monkeypatch.setattr(ego.crowd, "CROWD", 2)
    few = Ego(tiny_backbone, ConceptStore(tmp_path), EgoConfig(candidates=2))  # type: ignore[arg-type]
    assert len(few.recognize(photos[2])) == 2
    assert "thing 2" in few.caption(photos[2]).names
    assert len(few.caption(photos[2]).names) == 2
    with pytest.raises(UnknownConceptError, match="known: thing 0, thing 1"):
        personal.ask("Where?", names=["nobody"])
