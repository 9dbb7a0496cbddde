"""What was read is not read again, and is never mistaken for something else."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from ego import Ego, EgoConfig
from ego.answer import similarities, yes_probabilities
from ego.backbones.base import Backbone
from ego.memory import ConceptMemory
from ego.prefix_cache import PrefixCache
from ego.prompt import query_prompt, recognition_question
from ego.store import ConceptStore
from tests.backbones.tiny import picture
from tests.examples_of_memories import memory_of

CONFIG = EgoConfig(answer_tokens=4, caption_tokens=4)
NAMES = ("Bo", "Ada", "Rex", "Tom")


@pytest.fixture
def known(tiny_backbone: Backbone) -> list[ConceptMemory]:
    """Four memories that the model can read."""
    return [remembered(tiny_backbone, name, seed) for seed, name in enumerate(NAMES)]


def remembered(backbone: Backbone, name: str, seed: int) -> ConceptMemory:
    tokens = backbone.encode_image(picture(seed=seed)).select(torch.arange(seed, seed + 6))
    made = memory_of(name)
    view = made.views[0].model_copy(
        update={"kept": tuple(range(6)), "candidates": 64, "boxes": (), "importance": (0.0,) * 64}
    )
    created = f"2026-01-01T00:00:{seed:02}+00:00"
    return ConceptMemory(name, "", "", tokens, (view,), backbone.fingerprint, created)


def personal(backbone: Backbone, folder: Path, memories: Sequence[ConceptMemory], megabytes: int = 64) -> Ego:
    store = ConceptStore(folder)
    for memory in memories:
        store.add(memory)
    return Ego(backbone, store, CONFIG.model_copy(update={"cache_megabytes": megabytes}))


@contextmanager
def tokens_run(backbone: Any) -> Iterator[list[int]]:
    """Count the tokens of every pass."""
    counts: list[int] = []
    handle = backbone.model.register_forward_pre_hook(
        lambda _, args, options: counts.append(options["input_ids"].numel()), with_kwargs=True
    )
    yield counts
    handle.remove()


def afresh(backbone: Backbone, memories: Sequence[ConceptMemory], image: Any) -> dict[str, float]:
    """Ask about every concept alone, with nothing kept and nothing shared."""
    tokens = backbone.encode_image(image)
    names = [memory.name for memory in memories]
    prompts = [query_prompt(memories, [tokens], recognition_question(name)) for name in names]
    answers = {}
    for name, memory, prompt in zip(names, memories, prompts, strict=True):
        similar = similarities(backbone, [(memory, [tokens])])
        answers[name] = float(yes_probabilities(backbone, backbone.next_token_logits([prompt]), similar)[0])
    return answers


def probabilities(made: Ego, image: Any) -> dict[str, float]:
    return {name: found.probability for name, found in made.recognize(image).items()}


def test_what_was_read_is_not_run_again(tiny_backbone: Backbone, tmp_path: Path, known: list[ConceptMemory]) -> None:
    made = personal(tiny_backbone, tmp_path, known[:3])
    image = picture(seed=9)
    first = made.ask("Where is Bo?", image)
    question = len("Where is Bo?") + 20  # tokens of a question are fewer than its letters
    with tokens_run(tiny_backbone) as again:
        assert made.ask("Where is Bo?", image).text == first.text
    assert max(again) <= question
    with tokens_run(tiny_backbone) as other_picture:
        made.ask("Where is Bo?", picture(seed=8))
    encoded = len(tiny_backbone.encode_image(image))
    assert encoded < other_picture[0] < encoded + 20  # the picture, not the memories
    made.store.add(known[3])
    with tokens_run(tiny_backbone) as grown:
        made.ask("Where is Bo?")
    assert grown[0] < len(known[3].tokens) + 20  # the added concept only


@pytest.mark.parametrize("megabytes", [0, 64])
def test_changed_concepts_are_read_anew(
    tiny_backbone: Backbone, tmp_path: Path, known: list[ConceptMemory], megabytes: int
) -> None:
    made, image = personal(tiny_backbone, tmp_path, known[:3], megabytes), picture(seed=9)
    seen = []
    for change in (
        lambda: None,
        lambda: made.store.rename("Ada", "Ada Lovelace"),
        lambda: made.store.add(remembered(tiny_backbone, "Bo", 7), replace=True),
        lambda: made.store.add_view("Rex", remembered(tiny_backbone, "Rex", 8)),
        lambda: made.store.remove("Bo"),
        lambda: made.store.add(known[3]),
        lambda: made.store.rename("Rex", "Bo"),
    ):
        change()
        seen.append(probabilities(made, image))
        assert seen[-1] == pytest.approx(afresh(tiny_backbone, made.memories, image), abs=1e-5)
    assert len({tuple(answers.values()) for answers in seen}) == len(seen)  # every change shows


def test_the_limit_holds_and_the_least_used_goes(
    tiny_backbone: Backbone, tmp_path: Path, known: list[ConceptMemory]
) -> None:
    made = personal(tiny_backbone, tmp_path, known, megabytes=1)
    sizes = set()
    for seed in range(12):
        assert probabilities(made, picture(seed=seed)) == pytest.approx(
            afresh(tiny_backbone, made.memories, picture(seed=seed)), abs=1e-5
        )
        assert made._cache.kept.held <= 1_000_000
        sizes.add(len(made._cache.kept))
    assert len(sizes) < 12  # something had to go
    prompt = query_prompt(made.memories, (), "")
    with tokens_run(tiny_backbone) as passes:
        made._cache.prefill(prompt, len(prompt.parts) - 1)
    assert passes == []  # the memories, used by every query, stayed


def test_a_forgotten_concept_is_forgotten_here_too(
    tiny_backbone: Backbone, tmp_path: Path, known: list[ConceptMemory]
) -> None:
    made = personal(tiny_backbone, tmp_path, known)
    for names in (None, ["Bo"], ["Ada", "Rex"]):
        made.recognize(picture(seed=9), names)
    before = len(made._cache.kept)
    made.forget("Bo")
    left = [key for key in made._cache.kept._entries if any("This is Bo" in str(part) for part in key)]
    assert left == []
    assert len(made._cache.kept) == before - 4  # memories, and memories with picture, of two lists
    with tokens_run(tiny_backbone) as passes:
        made.recognize(picture(seed=9), ["Ada", "Rex"])
    assert len(passes) == 1  # the questions: the other list and the picture on it are still known


def test_libraries_on_one_model_may_share_what_was_read(
    tiny_backbone: Backbone, tmp_path: Path, known: list[ConceptMemory]
) -> None:
    cache = PrefixCache(tiny_backbone)
    one, other = (
        Ego(tiny_backbone, personal(tiny_backbone, tmp_path / name, known).store, CONFIG, cache=cache) for name in "ab"
    )
    one.ask("Where?", picture(seed=9))
    with tokens_run(tiny_backbone) as passes:
        other.ask("Where?", picture(seed=9))
    assert max(passes) < 40


def test_threads_may_share_one_ego(tiny_backbone: Backbone, tmp_path: Path, known: list[ConceptMemory]) -> None:
    made = personal(tiny_backbone, tmp_path, known, megabytes=1)
    images = [picture(seed=seed) for seed in range(6)]
    expected = [afresh(tiny_backbone, made.memories, image) for image in images]
    found: list[tuple[int, dict[str, float]]] = []

    def work(start: int) -> None:
        for step in range(6):
            number = (start + step) % 6
            found.append((number, probabilities(made, images[number])))

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 24
    for number, answers in found:
        assert answers == pytest.approx(expected[number], abs=1e-5)
