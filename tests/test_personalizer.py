"""The main job from end to end, through a real architecture with random weights."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ego import Concept, ConceptStore, Ego, EgoConfig, Region, heatmap
from ego.answer import NO_WORDS, YES_WORDS, yes_margin
from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from ego.errors import (
    ConfigError,
    DuplicateConceptError,
    ForeignMemoryError,
    ImageError,
    InputError,
    UnknownConceptError,
)
from ego.memory import ConceptMemory
from ego.prompt import Text, recognition_question
from tests.backbones.tiny import picture, save
from tests.test_video import write_video

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


def test_the_batched_pass_says_the_same_as_single_questions_in_one_forward(
    personal: Ego, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = personal.look(picture(seed=10))
    personal._cache.clear()
    assert scene.prefix is not None
    logits = [
        personal.backbone.next_token_logits([scene.prompt(recognition_question(name))], prefix=scene.prefix)
        for name in ("Bo", "Ada")
    ]
    yes, no = (personal.backbone.word_ids(words) for words in (YES_WORDS, NO_WORDS))
    alone = [yes_margin(scores, yes, no).sigmoid().item() for scores in logits]
    personal.recognize(picture(seed=8))  # the first time, one question is tried alone
    model, batches = personal.backbone.model, []
    forward = model.forward

    def counted(*args: Any, **options: Any) -> Any:
        batches.append(len(options["input_ids"]))
        return forward(*args, **options)

    monkeypatch.setattr(model, "forward", counted)
    together = personal.recognize(picture(seed=10))
    assert [found.probability for found in together.values()] == pytest.approx(alone, abs=1e-5)
    assert batches == [1, 1]  # the image over the kept memories, then both questions in one sequence


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
    chat, fresh = personal.chat(picture()), personal.chat(picture())
    first, second = chat.say("Where is Bo?"), chat.say("And Ada?")
    assert chat._last is not None
    said = [part.text for part in chat._last[0].parts if isinstance(part, Text)]
    assert said[-3:] == ["Where is Bo?", first.text, "And Ada?"]
    assert second.prompt_tokens > fresh.say("And Ada?").prompt_tokens
    with pytest.raises(InputError, match="question is empty"):
        chat.say("  ")


def test_frames_and_no_image(personal: Ego) -> None:
    one = personal.ask("Who?", [picture(seed=1)])
    three = personal.ask("Who?", [picture(seed=1), picture(seed=2), picture(seed=3)])
    assert three.prompt_tokens > one.prompt_tokens
    assert list(personal.recognize([picture(seed=1), picture(seed=2)])) == ["Bo", "Ada"]
    with pytest.raises(InputError, match="list of frames is empty"):
        personal.ask("Who?", [])


def test_a_video_file_goes_the_same_ways(personal: Ego, tmp_path: Path) -> None:
    clip, broken = tmp_path / "park.mp4", tmp_path / "broken.mp4"
    write_video(clip, 12)
    broken.write_bytes(clip.read_bytes()[:200])
    frames = personal.config.video_frames
    assert list(personal.recognize(clip)) == ["Bo", "Ada"]
    one = personal.ask("Where is Bo?", picture()).prompt_tokens
    assert personal.ask("Where is Bo?", clip).prompt_tokens > one + (frames - 1) * 16
    assert personal.caption(clip).names == personal.chat(clip).say("Who?").names == ("Bo", "Ada")
    with pytest.raises(ImageError, match=r"broken\.mp4 is neither an image nor a video"):
        personal.recognize(broken)


def test_a_single_image_or_name_need_not_be_a_list(personal: Ego, tmp_path: Path) -> None:
    picture(seed=4).save(tmp_path / "rex.png")
    assert len(personal.introduce(Concept("Rex", str(tmp_path / "rex.png"), keywords="dog")).views) == 1
    assert list(personal.recognize(picture(), names="Rex")) == ["Rex"]


def test_inputs_that_cannot_be_meant(personal: Ego) -> None:
    with pytest.raises(InputError, match="not a probability"):
        personal.recognize(picture(), threshold=2)
    with pytest.raises(InputError, match="give one of them"):
        Concept("Rex", [picture()], keywords="dog", regions=[Region(box=(0, 0, 9, 9))])
    with pytest.raises(ConfigError, match="threshold = 7"):
        EgoConfig(threshold=7)


def test_beyond_the_budget_the_filter_chooses_and_says_whom_it_dropped(tiny_backbone: Backbone, personal: Ego) -> None:
    whole = sum(personal._scenes._cost(memory) for memory in personal.memories)
    assert whole > sum(len(memory.tokens) for memory in personal.memories)
    tight = Ego(tiny_backbone, personal.store, CONFIG.model_copy(update={"context_budget": whole - 1}))
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
    assert personal.add_view("Ada", [picture(seed=8)], keywords="brown cat").views[-1].description == "brown cat"
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


@pytest.mark.thorough
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
