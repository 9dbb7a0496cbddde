"""The main job from end to end, through a real architecture with random weights."""

import multiprocessing
from pathlib import Path

import pytest
from PIL import Image

from ego import Concept, ConceptStore, Ego, EgoConfig, Region, heatmap
from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from ego.errors import DuplicateConceptError, ForeignMemoryError, InputError, UnknownConceptError
from ego.memory import ConceptMemory
from tests.backbones.tiny import picture, save

CONFIG = EgoConfig(answer_tokens=6, caption_tokens=6, description_tokens=6)


@pytest.fixture
def personal(tiny_backbone: Backbone, tmp_path: Path) -> Ego:
    """Two concepts are remembered."""
    made = Ego(tiny_backbone, ConceptStore(tmp_path / "store"), CONFIG)
    made.introduce(Concept("Bo", [picture(seed=1)], keywords="white dog"))
    made.introduce(Concept("Ada", [picture(seed=2), picture(seed=3)], category="cat", keywords="brown cat"))
    return made


def test_several_references_are_joined(personal: Ego) -> None:
    ada = personal.memories[1]
    assert len(ada.views) == 2
    assert len(ada.tokens) == sum(len(view.kept) for view in ada.views)
    assert ada.category == "cat"


def test_every_concept_is_recognized_in_one_go(personal: Ego) -> None:
    found = personal.recognize(picture(seed=9))
    assert list(found) == ["Bo", "Ada"]
    for name, recognition in found.items():
        assert recognition.name == name
        assert 0 <= recognition.probability <= 1
        assert recognition.present == (recognition.probability >= 0.5)


def test_the_batched_pass_says_the_same_as_single_questions(personal: Ego) -> None:
    together = personal.recognize(picture(seed=9))
    scene = personal._scene(picture(seed=9), None)
    for name, recognition in together.items():
        said = scene.answer(scene.prompt(f"Is {name} in this image? Answer with a single word, Yes or No."), 1)
        assert said.prompt_tokens > 0
        assert recognition.said in ("yes", "no", "other")


def test_the_threshold_decides(personal: Ego) -> None:
    assert all(found.present for found in personal.recognize(picture(), threshold=0.0).values())
    assert not any(found.present for found in personal.recognize(picture(), threshold=1.0).values())


def test_only_named_concepts_enter_the_prompt_whatever_the_case(personal: Ego) -> None:
    assert list(personal.recognize(picture(), names=["ada"])) == ["Ada"]
    assert personal.ask("Who?", picture(), names=["Bo"]).names == ("Bo",)
    with pytest.raises(UnknownConceptError, match="known: Bo, Ada"):
        personal.recognize(picture(), names=["Rex"])


def test_the_memory_changes_the_answer(personal: Ego) -> None:
    both = personal.recognize(picture(seed=9))["Bo"].probability
    alone = personal.recognize(picture(seed=9), names=["Bo"])["Bo"].probability
    personal.forget("Bo")
    personal.introduce(Concept("Bo", [Image.new("RGB", (160, 96), (220, 0, 0))], keywords="white dog"))
    other = personal.recognize(picture(seed=9), names=["Bo"])["Bo"].probability
    assert len({round(value, 6) for value in (both, alone, other)}) == 3


def test_the_memory_part_is_prefilled_once(personal: Ego, monkeypatch: pytest.MonkeyPatch) -> None:
    personal.recognize(picture(seed=1))
    kept = personal._scenes._memory_prefix
    personal.ask("Where is Bo?", picture(seed=2))
    assert personal._scenes._memory_prefix is kept
    personal.forget("Bo")
    personal.caption(picture(seed=2))
    assert personal._scenes._memory_prefix is not kept


def test_answers_with_and_without_image_and_memories(personal: Ego) -> None:
    with_both = personal.ask("What is Bo doing?", picture())
    assert with_both.names == ("Bo", "Ada")
    assert with_both.dropped == ()
    without_image = personal.ask("What is Bo?")
    assert without_image.prompt_tokens < with_both.prompt_tokens
    for name in ("Bo", "Ada"):
        personal.forget(name)
    assert personal.recognize(picture()) == {}
    assert personal.ask("What is this?", picture()).names == ()
    assert personal.caption(picture()).names == ()
    assert isinstance(personal.ask("Hello?").text, str)


def test_streaming_pieces_make_up_the_answer(personal: Ego) -> None:
    pieces: list[str] = []
    said = personal.caption(picture(), on_text=pieces.append)
    assert "".join(pieces) == said.text


def test_a_chat_remembers_its_turns(personal: Ego) -> None:
    chat = personal.chat(picture())
    first, second = chat.say("Where is Bo?"), chat.say("And Ada?")
    assert second.prompt_tokens > first.prompt_tokens
    with pytest.raises(InputError, match="question is empty"):
        chat.say("  ")


def test_frames_and_no_image(personal: Ego) -> None:
    one = personal.ask("Who?", [picture(seed=1)])
    three = personal.ask("Who?", [picture(seed=1), picture(seed=2), picture(seed=3)])
    assert three.prompt_tokens > one.prompt_tokens
    assert list(personal.recognize([picture(seed=1), picture(seed=2)])) == ["Bo", "Ada"]
    with pytest.raises(InputError, match="list of frames is empty"):
        personal.ask("Who?", [])


def test_beyond_the_budget_the_filter_chooses_and_says_whom_it_dropped(tiny_backbone: Backbone, personal: Ego) -> None:
    smallest = min(len(memory.tokens) for memory in personal.memories)
    tight = Ego(tiny_backbone, personal.store, CONFIG.model_copy(update={"context_budget": smallest}))
    found = tight.recognize(picture(seed=1))
    dropped = [name for name, each in found.items() if each.said == "not asked"]
    assert len(found) == 2
    assert len(dropped) == 1
    assert tight.caption(picture(seed=1)).dropped == tuple(dropped)


def test_a_taken_name_is_refused_before_any_work_and_can_be_replaced(personal: Ego) -> None:
    with pytest.raises(DuplicateConceptError):
        personal.introduce(Concept("bo", ["does-not-exist.jpg"]))
    before = personal.memories[0]
    personal.introduce(Concept("Bo", [picture(seed=5)], keywords="white dog"), replace=True)
    assert personal.store.get("Bo").views[0].image != before.views[0].image


def test_views_are_added(personal: Ego) -> None:
    before = personal.store.get("Bo")
    after = personal.add_view("Bo", [picture(seed=7)], regions=[Region(box=(0, 0, 80, 96))])
    assert len(after.views) == len(before.views) + 1
    assert len(after.tokens) > len(before.tokens)


def test_without_a_store_nothing_stays(tiny_backbone: Backbone) -> None:
    fleeting = Ego(tiny_backbone, config=CONFIG)
    folder = fleeting.store.folder
    fleeting.introduce(Concept("Bo", [picture()], keywords="dog"))
    assert [memory.name for memory in fleeting.memories] == ["Bo"]
    del fleeting
    assert not folder.exists()


def test_thumbnails_only_when_asked_for(tiny_backbone: Backbone, personal: Ego) -> None:
    assert personal.memories[0].thumbnail is None
    shown = Ego(tiny_backbone, config=CONFIG.model_copy(update={"thumbnails": True}))
    assert shown.introduce(Concept("Bo", [picture()], keywords="dog")).thumbnail is not None


def test_heat_map_of_a_real_memory(personal: Ego) -> None:
    assert heatmap(personal.memories[0], picture(seed=1)).size[0] >= 160


def test_another_models_memory_is_skipped_by_name(personal: Ego, tmp_path: Path) -> None:
    other = load_backbone(save("internvl3_5", tmp_path / "other"))
    foreign = Ego(other, personal.store, CONFIG)
    assert foreign.memories == ()
    assert len(foreign.skipped) == 2
    assert "introduce it again" in foreign.skipped[0].reason
    with pytest.raises(ForeignMemoryError):
        foreign.add_view("Bo", [picture()])


def _recognize_elsewhere(model: str, store: str, image: str, queue: "multiprocessing.Queue[float]") -> None:
    elsewhere = Ego(load_backbone(model), ConceptStore(store), CONFIG)
    queue.put(elsewhere.recognize(image)["Bo"].probability)


def test_a_memory_answers_in_another_process_without_its_photos(tmp_path: Path) -> None:
    model = save("internvl3", tmp_path / "model")
    photo, query = tmp_path / "bo.png", tmp_path / "park.png"
    picture(seed=1).save(photo)
    picture(seed=9).save(query)
    here = Ego(load_backbone(model), ConceptStore(tmp_path / "store"), CONFIG)
    here.introduce(Concept("Bo", [photo], keywords="white dog"))
    expected = here.recognize(query)["Bo"].probability
    photo.unlink()
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[float] = context.Queue()
    process = context.Process(
        target=_recognize_elsewhere, args=(str(model), str(tmp_path / "store"), str(query), queue)
    )
    process.start()
    assert queue.get(timeout=120) == pytest.approx(expected, abs=1e-5)
    process.join()


def test_memories_are_values_of_the_documented_type(personal: Ego) -> None:
    assert all(isinstance(memory, ConceptMemory) for memory in personal.memories)
    assert personal.skipped == ()
