"""Many pictures, long lists and whatever happens to a library: every answer is the one asked for alone."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ego import Concept, Ego, EgoConfig, load_backbone
from ego.backbones.base import Backbone
from ego.memory import ConceptMemory
from ego.recognition import blocks
from ego.store import ConceptStore
from tests.backbones.tiny import picture
from tests.test_prefix_cache import NAMES, afresh, personal, probabilities, remembered, tokens_run

CONFIG = EgoConfig(answer_tokens=4, caption_tokens=4, cache_megabytes=2)
BLOCK = 2


@pytest.fixture
def made(tiny_backbone: Backbone, tmp_path: Path) -> Ego:
    """Four concepts are remembered."""
    memories = [remembered(tiny_backbone, name, seed) for seed, name in enumerate(NAMES)]
    return personal(tiny_backbone, tmp_path, memories)


@pytest.fixture
def in_blocks(tiny_backbone: Any, made: Ego) -> Iterator[Ego]:
    """The same, with a model that overlooks two concepts at a time."""
    card = tiny_backbone.card
    tiny_backbone.card = replace(card, concepts_per_prompt=BLOCK)
    yield made
    tiny_backbone.card = card


def expected(backbone: Backbone, memories: Sequence[ConceptMemory], image: Any) -> dict[str, float]:
    """Ask block by block, every concept alone."""
    answers: dict[str, float] = {}
    for block in blocks(backbone, memories):
        answers |= afresh(backbone, block, image)
    return answers


def test_several_pictures_get_the_answers_of_each_alone(made: Ego) -> None:
    images = [picture(seed=seed) for seed in (5, 6, 7, 6)]
    alone = [made.recognize(image) for image in images]
    together = made.recognize_many(images)
    assert [list(found) for found in together] == [list(NAMES)] * 4
    for one, same in zip(alone, together, strict=True):
        assert [found.probability for found in one.values()] == pytest.approx(
            [found.probability for found in same.values()], abs=1e-5
        )
    assert made.recognize_many([]) == []


def test_several_pictures_share_a_pass(made: Ego) -> None:
    images = [picture(seed=seed) for seed in (5, 6, 7)]
    made.recognize_many(images)
    with tokens_run(made.backbone) as passes:
        made.recognize_many(images)
    assert len(passes) == 1


def test_pictures_with_other_concepts_in_the_budget_are_asked_apart(tiny_backbone: Backbone, made: Ego) -> None:
    tight = Ego(tiny_backbone, made.store, EgoConfig(context_budget=40))
    images = [picture(seed=seed) for seed in (0, 1, 2, 3, 5)]
    together = tight.recognize_many(images)
    for image, answers in zip(images, together, strict=True):
        alone = tight.recognize(image)
        assert list(answers) == list(alone)
        assert [found.said for found in answers.values()] == [found.said for found in alone.values()]
        assert "not asked" in [found.said for found in answers.values()]


def test_a_long_list_is_asked_in_blocks_in_its_own_order(in_blocks: Ego, tiny_backbone: Backbone) -> None:
    image = picture(seed=9)
    assert [len(block) for block in blocks(tiny_backbone, in_blocks.memories[:3])] == [2, 1]
    answers = probabilities(in_blocks, image)
    assert list(answers) == list(NAMES)
    assert answers == pytest.approx(expected(tiny_backbone, in_blocks.memories, image), abs=1e-5)
    assert answers != pytest.approx(afresh(tiny_backbone, in_blocks.memories, image), abs=1e-5)
    many = in_blocks.recognize_many([image, picture(seed=8)])[0]
    assert [found.probability for found in many.values()] == pytest.approx(list(answers.values()), abs=1e-5)


def test_a_question_over_a_long_list_sees_those_it_names_and_those_recognized(in_blocks: Ego) -> None:
    image = picture(seed=9)
    ranked = sorted(NAMES, key=lambda name: -in_blocks.recognize(image)[name].probability)
    described = in_blocks.caption(image)
    assert set(described.names) == set(ranked[:BLOCK])
    assert list(described.names) == [name for name in NAMES if name in described.names]  # stable order
    assert list(described.dropped) == ranked[BLOCK:]
    least = ranked[-1]
    asked = in_blocks.ask(f"Where is {least}?", image)
    assert set(asked.names) == {least, ranked[0]}
    assert in_blocks.ask("What is Tom?").names == ("Bo", "Tom")  # no image: those named, then the first of the list
    assert set(in_blocks.chat(image).say("Who is there?").names) == set(ranked[:BLOCK])


@pytest.fixture(scope="module")
def embedded() -> Backbone:
    return load_backbone("mini", self_check=False)


@pytest.fixture(scope="module")
def shelf(embedded: Backbone) -> list[ConceptMemory]:
    """Memories to choose from, introduced by the embedded model."""
    maker = Ego(embedded, config=CONFIG)
    return [maker.build(Concept(f"C{seed}", [picture(seed=seed)], keywords="thing")) for seed in range(4)]


ACTION = st.tuples(st.sampled_from(["add", "replace", "rename", "remove", "ask", "ask many"]), *[st.integers(0, 3)] * 2)


@pytest.mark.thorough
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(ACTION, min_size=4, max_size=10), most=st.sampled_from([None, 2]))
def test_no_history_of_a_library_changes_an_answer(
    embedded: Any, shelf: list[ConceptMemory], actions: list[tuple[str, int, int]], most: int | None
) -> None:
    embedded.card = replace(embedded.card, concepts_per_prompt=most)
    with tempfile.TemporaryDirectory() as folder:
        made = Ego(embedded, ConceptStore(Path(folder)), CONFIG)
        for action, one, other in [("add", 0, 0), ("add", 1, 1), *actions, ("ask", 0, 0)]:
            act(made, action, NAMES[one], shelf[other], picture(seed=20 + one))


def act(made: Ego, action: str, name: str, memory: ConceptMemory, image: Any) -> None:
    """Do something to a library, or ask and compare with asking afresh; what cannot be done is left."""
    names = made.store.names()
    if action in ("add", "replace") and (action == "replace" or name not in names):
        made.store.add(memory.renamed(name), replace=name in names)
    elif action == "rename" and name in names and f"{name} II" not in names:
        made.store.rename(name, f"{name} II")
    elif action == "remove" and name in names:
        made.store.remove(name)
    elif action == "ask":
        wanted = expected(made.backbone, made.memories, image)
        assert probabilities(made, image) == pytest.approx(wanted, abs=1e-4)
    elif action == "ask many":
        images = [image, picture(seed=30)]
        for answers, one in zip(made.recognize_many(images), images, strict=True):
            wanted = expected(made.backbone, made.memories, one)
            assert {key: found.probability for key, found in answers.items()} == pytest.approx(wanted, abs=1e-4)
