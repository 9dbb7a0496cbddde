"""The order of a prompt."""

import torch

from ego.prompt import (
    CAPTION,
    CAPTION_WITH_NAMES,
    GUARD,
    THE_PICTURE,
    Picture,
    SoftTokens,
    Text,
    caption_question,
    introduction_prompt,
    query_prompt,
    recognition_question,
)
from tests.examples_of_memories import memory_of, tokens_of

IMAGE = tokens_of(torch.zeros(4, 2))


def kinds(prompt: object) -> list[str]:
    return [part.text if isinstance(part, Text) else type(part).__name__ for part in prompt.parts]


def test_memories_come_first_then_the_picture_then_the_question() -> None:
    prompt = query_prompt([memory_of("Bo"), memory_of("Ada")], [IMAGE], "Where is Bo?")
    names = ["This is Bo:", "SoftTokens", "\n", "This is Ada:", "SoftTokens", "\n"]
    assert kinds(prompt) == [GUARD, *names, THE_PICTURE, "Picture", "Where is Bo?"]


def test_without_memories_nothing_is_announced() -> None:
    assert kinds(query_prompt([], [IMAGE], "What is this?")) == ["Picture", "What is this?"]


def test_without_a_picture_none_is_announced() -> None:
    assert kinds(query_prompt([memory_of("Bo")], [], "Who is Bo?")) == [
        GUARD,
        "This is Bo:",
        "SoftTokens",
        "\n",
        "Who is Bo?",
    ]


def test_frames_are_numbered() -> None:
    assert kinds(query_prompt([], [IMAGE, IMAGE], "?")) == ["Frame 1:\n", "Picture", "Frame 2:\n", "Picture", "?"]


def test_the_memory_part_does_not_depend_on_the_query() -> None:
    memories = [memory_of("Bo")]
    one, other = query_prompt(memories, [IMAGE], "a"), query_prompt(memories, [IMAGE, IMAGE], "b")
    assert kinds(one)[:4] == kinds(other)[:4]


def test_the_introduction_shows_the_image_before_the_question() -> None:
    assert [type(part) for part in introduction_prompt(IMAGE, "Describe").parts] == [Picture, Text]


def test_a_conversation_goes_on() -> None:
    prompt = query_prompt([memory_of("Bo")], [], "Who is Bo?").then("A dog.", "What colour?")
    assert [turn.role for turn in prompt.turns] == ["user", "assistant", "user"]
    assert kinds(prompt)[-3:] == ["Who is Bo?", "A dog.", "What colour?"]
    assert isinstance(prompt.parts[2], SoftTokens)


def test_questions() -> None:
    assert recognition_question("Bo") == "Is Bo in this image? Answer with a single word, Yes or No."
    assert caption_question([]) == CAPTION
    assert caption_question([memory_of("Bo")]) == CAPTION_WITH_NAMES
