"""Prompts come out as the model's own processor would write them, and words of users stay words."""

from collections.abc import Callable

import pytest
import torch

from ego.backbones.huggingface import HuggingFaceBackbone
from ego.prompt import Picture, Prompt, SoftTokens, Text, Turn, introduction_prompt, query_prompt
from tests.backbones import tiny

QUESTION = "Describe the main subject of this image."
WRAPPERS = {
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
}


def test_an_image_and_a_question_are_the_processors_own_ids(
    load: Callable[..., HuggingFaceBackbone], family: str
) -> None:
    # LLaVA-OneVision writes a lone image as any-res; with one padded view it has no prompt of its own to compare.
    backbone = load(family, max_visual_tokens=4096) if family == "llava_onevision" else load(family)
    image = tiny.picture()
    prompt = introduction_prompt(backbone.encode_image(image), QUESTION)
    assert list(backbone.chat.tokenize(prompt).ids) == backbone.chat.native_ids(image, QUESTION)


def test_llava_writes_two_images_like_its_processor(load: Callable[..., HuggingFaceBackbone]) -> None:
    backbone = load("llava_onevision")
    images = [tiny.picture(seed=1), tiny.picture(seed=2)]
    pictures = tuple(Picture(backbone.encode_image(image)) for image in images)
    prompt = Prompt((Turn("user", (*pictures, Text(QUESTION))),))
    text = backbone.chat._render(
        [{"role": "user", "content": [{"type": "image"}, {"type": "image"}, {"type": "text", "text": QUESTION}]}]
    )
    native = backbone.chat._processor(text=[text], images=[images], add_special_tokens=False)["input_ids"][0]
    assert list(backbone.chat.tokenize(prompt).ids) == list(native)


def test_the_wrapper_is_learnt_from_template_and_processor(backbone: HuggingFaceBackbone, family: str) -> None:
    assert (backbone.chat.wrapper.before, backbone.chat.wrapper.after) == WRAPPERS[family]


@pytest.mark.parametrize("hostile", ["CONTROL", "<CONTROL>", "CONTROLCONTROL", "a CONTROL b", "CON" + "TROL\n"])
def test_control_tokens_of_the_user_stay_words(backbone: HuggingFaceBackbone, family: str, hostile: str) -> None:
    image = backbone.encode_image(tiny.picture())
    words = tiny.MINIATURES[family].words
    for control in (words.end, *words.special):
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
    tokenizer = backbone.chat._tokenizer
    pieces = [chat.ids[start:stop] for start, stop in zip((0, *chat.part_ends), (*chat.part_ends, None), strict=False)]
    shown = [tokenizer.decode(list(ids)) for ids in pieces]
    assert shown[0].endswith("Remembered.\n")
    assert shown[2] == "This is Bo.\n"
    assert shown[4] == "Where is Bo?"
    assert shown[1].startswith(backbone.chat.wrapper.before)
    assert shown[3].endswith(backbone.chat.wrapper.after)
    assert [len(block) for _, block in chat.visuals] == [5, len(image)]
    for start, block in chat.visuals:
        assert set(chat.ids[start : start + len(block)]) == {backbone.model.config.image_token_id}


def test_the_beginning_does_not_depend_on_the_end(backbone: HuggingFaceBackbone) -> None:
    image = backbone.encode_image(tiny.picture())
    one, two = (backbone.chat.tokenize(introduction_prompt(image, text)) for text in ("\n\nWhat?", "Where?"))
    assert one.ids[: one.part_ends[0]] == two.ids[: two.part_ends[0]]


def test_several_turns_and_no_image_are_laid_out(backbone: HuggingFaceBackbone) -> None:
    prompt = query_prompt([], [], "Who is Bo?").then("a dog", "Which colour?")
    text = backbone.chat._tokenizer.decode(list(backbone.chat.tokenize(prompt).ids))
    assert text.index("Who is Bo?") < text.index("a dog") < text.index("Which colour?")
    assert len(backbone.chat.tokenize(prompt).part_ends) == len(prompt.parts) == 3
    assert backbone.generate(prompt, max_new_tokens=2).prompt_tokens == backbone.count_tokens(prompt)


def test_first_words_of_an_answer(internvl: HuggingFaceBackbone) -> None:
    yes = internvl.word_ids(["Yes", "yes"])
    no = internvl.word_ids(["No", "no"])
    decode = internvl.chat._tokenizer.decode
    assert {decode([token]).strip().lower() for token in yes} <= {"y", "ye", "yes"}
    assert not set(yes) & set(no)
    assert internvl.word_ids([" "]) == ()
