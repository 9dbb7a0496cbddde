"""Prompts come out as the model's own processor would write them, and words of users stay words."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ego import Concept, ConceptStore, Ego, EgoConfig
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.parity import compare_prompts
from ego.prompt import Part, Picture, Prompt, SoftTokens, Text, Turn, introduction_prompt, query_prompt
from tests.backbones import tiny

QUESTION = "Describe the main subject of this image."
AROUND = {
    "internvl3": ("<img>", "</img>\n"),
    "internvl3_5": ("<img>", "</img>\n"),
    "qwen2_5_vl": ("<|vision_start|>", "<|vision_end|>"),
    "qwen3_vl": ("<|vision_start|>", "<|vision_end|>"),
    "qwen3_5": ("<|vision_start|>", "<|vision_end|>"),
    "llava_onevision": ("", ""),
    "smolvlm": ("<fake_token_around_image><global-img>", "<fake_token_around_image>"),
    "idefics3": ("<fake_token_around_image><global-img>", "<fake_token_around_image>"),
    "gemma3": ("\n\n<start_of_image>", "<end_of_image>\n\n"),
    "gemma4": ("<|image>", "<image|>"),
    "fast_vlm": ("", "\n"),
    "llava": ("", "\n"),
    "llava_next": ("", "\n"),
    "qwen2_vl": ("<|vision_start|>", "<|vision_end|>"),
    "glm4v": ("<|begin_of_image|>", "<|end_of_image|>"),
    "glm46v": ("<|begin_of_image|>", "<|end_of_image|>"),
    "mistral3": ("", "[IMG_END]"),
    "pixtral": ("", "[IMG_END]"),
    "lfm2_vl": ("<|image_start|>", "<|image_end|>"),
    "aya_vision": ("<|START_OF_IMG|>TILE_GLOBAL", "<|END_OF_IMG|>"),
    "deepseek_vl": ("", ""),
}


@pytest.mark.thorough
def test_all_kinds_of_conversations_are_the_processors_own_ids(backbone: HuggingFaceBackbone) -> None:
    found = list(compare_prompts(backbone))
    assert len(found) >= 7
    assert not [one for one in found if one.difference]
    assert len({one.tokens for one in found}) > 3


def test_an_image_and_a_question_are_the_processors_own_ids(
    load: Callable[..., HuggingFaceBackbone], family: str
) -> None:
    if family == "llava_onevision":
        pytest.skip("writes a lone image as any-res, so a padded view is compared in prompts of several images")
    backbone = load(family)
    image = tiny.picture()
    prompt = introduction_prompt(backbone.encode_image(image), QUESTION)
    assert list(backbone.chat.tokenize(prompt).ids) == backbone.chat.native_ids(image, QUESTION)


def test_a_memory_stands_between_the_familys_delimiters(backbone: HuggingFaceBackbone, family: str) -> None:
    memory = SoftTokens(backbone.encode_image(tiny.picture()).select(torch.arange(5)))
    prompt = Prompt((Turn("user", (Text("This is"), memory, Text("Bo."))),))
    placeholder = backbone.chat.shown([backbone.model.config.image_token_id])
    before, after = AROUND[family]
    shown = backbone.chat.shown(backbone.chat.tokenize(prompt).ids)
    if family == "llava_onevision":  # puts every text on a line of its own
        shown = shown.removeprefix("<|im_start|>user \n")
    blank = " " if family == "llava" else ""  # its tokenizer begins every stretch of words with one
    assert f"This is{before}{placeholder * 5}{blank}{after}Bo." in shown


@pytest.mark.parametrize("hostile", ["CONTROL", "<CONTROL>", "CONTROLCONTROL", "a CONTROL b", "CON" + "TROL\n"])
def test_control_tokens_of_the_user_stay_words(backbone: HuggingFaceBackbone, family: str, hostile: str) -> None:
    image = backbone.encode_image(tiny.picture())
    words = tiny.MINIATURES[family].words
    for control in (words.end, *words.special, *words.unmarked):
        text = hostile.replace("CONTROL", control)
        harmless = backbone.chat.tokenize(introduction_prompt(image, "harmless")).ids
        ids = backbone.chat.tokenize(introduction_prompt(image, text)).ids
        special = set(tiny.tokenizer(family).all_special_ids) | set(tiny.tokenizer(family).added_tokens_decoder)
        assert [token for token in ids if token in special] == [token for token in harmless if token in special]
        shown = tiny.tokenizer(family).decode(backbone.chat.plain_ids(text), skip_special_tokens=True)
        assert shown == text


def test_control_tokens_do_not_arise_between_parts(internvl: HuggingFaceBackbone) -> None:
    image = internvl.encode_image(tiny.picture())
    split = Prompt((Turn("user", (Picture(image), Text("<|im_"), Text("end|>"), Text(" x"))),))
    end = tiny.token("internvl3", "<|im_end|>")
    assert internvl.chat.tokenize(split).ids.count(end) == 1


def test_parts_end_where_they_should(backbone: HuggingFaceBackbone) -> None:
    memory = backbone.encode_image(tiny.picture(seed=1)).select(torch.arange(5))
    image = backbone.encode_image(tiny.picture(seed=2))
    parts = (Text("Remembered.\n"), SoftTokens(memory), Text("This is Bo.\n"), Picture(image), Text("Where is Bo?"))
    chat = backbone.chat.tokenize(Prompt((Turn("user", parts),)))
    tokenizer = backbone.chat._processor.tokenizer
    pieces = [chat.ids[start:stop] for start, stop in zip((0, *chat.part_ends), (*chat.part_ends, None), strict=False)]
    shown = [tokenizer.decode(list(ids)) for ids in pieces]
    trims = backbone.chat.template.trims
    assert shown[0].endswith("Remembered." if trims else "Remembered.\n")
    assert shown[2] == ("This is Bo." if trims else "This is Bo.\n")
    assert shown[4] == "Where is Bo?"
    assert shown[1].endswith(backbone.chat.template.around[1])
    assert [len(placed.tokens) for placed in chat.visuals] == [5, len(image)]
    for placed in chat.visuals:
        assert len(placed.positions) == len(placed.tokens)
        assert {chat.ids[place] for place in placed.positions.tolist()} == {backbone.model.config.image_token_id}


def test_the_beginning_does_not_depend_on_the_end(backbone: HuggingFaceBackbone) -> None:
    image = backbone.encode_image(tiny.picture())
    one, two = (backbone.chat.tokenize(introduction_prompt(image, text)) for text in ("\n\nWhat?", "Where?"))
    assert one.ids[: one.part_ends[0]] == two.ids[: two.part_ends[0]]


def test_several_turns_and_no_image_are_laid_out(backbone: HuggingFaceBackbone) -> None:
    prompt = query_prompt([], [], "Who is Bo?").then("a dog", "Which colour?")
    text = backbone.chat._processor.tokenizer.decode(list(backbone.chat.tokenize(prompt).ids))
    assert text.index("Who is Bo?") < text.index("a dog") < text.index("Which colour?")
    assert len(backbone.chat.tokenize(prompt).part_ends) == len(prompt.parts) == 3
    assert backbone.generate(prompt, max_new_tokens=2).prompt_tokens == backbone.count_tokens(prompt)


def test_first_words_of_an_answer(internvl: HuggingFaceBackbone) -> None:
    yes = internvl.word_ids(["Yes", "yes"])
    no = internvl.word_ids(["No", "no"])
    decode = internvl.chat._processor.tokenizer.decode
    assert {decode([token]).strip().lower() for token in yes} <= {"y", "ye", "yes"}
    assert not set(yes) & set(no)
    assert internvl.word_ids([" "]) == ()


def test_a_memory_that_keeps_a_tiled_image_whole_stands_as_the_image_would(
    load: Callable[..., HuggingFaceBackbone], tmp_path: Path
) -> None:
    backbone, image = load("aya_vision", max_visual_tokens=64), tiny.picture(320, 96)
    whole = Picture(backbone.encode_image(image))
    assert whole.tokens.markup is not None
    assert len(whole.tokens.markup.runs) > 1

    def ids(part: Part) -> tuple[int, ...]:
        return backbone.chat.tokenize(Prompt((Turn("user", (Text("This is Bo:"), part, Text(QUESTION))),))).ids

    for selector, alike in (("all", True), ("uniform", False)):
        folder, config = tmp_path / selector, EgoConfig(selector=selector, dynamic_size=False)
        made = Ego(backbone, ConceptStore(folder), config).introduce(Concept("Bo", [image]))
        read = ConceptStore(folder).load_all().memories[0]
        assert (ids(SoftTokens(made.tokens)) == ids(whole)) == alike
        assert ids(SoftTokens(read.tokens)) == ids(SoftTokens(made.tokens))
    lying = dataclasses.replace(made.tokens, whole_of=(4096, 4096))
    assert ids(SoftTokens(lying)) == ids(SoftTokens(made.tokens))
