"""The official OpenAI client against a running service with the embedded model."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from ego.personalizer import Ego
from ego.prompt import CAPTION
from tests.server.running import BO, SCENE, Running, shown

QUESTION = "What is Bo doing?"


@pytest.fixture(scope="module")
def client(served: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, messages: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="mini", messages=messages, **more)


def test_lists_the_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["mini"]
    assert client.models.retrieve("mini").id == "mini"
    with pytest.raises(openai.NotFoundError, match="not served"):
        client.models.retrieve("gpt-x")


def test_answers_what_the_library_answers(served: Running, client: openai.OpenAI) -> None:
    said = ask(client, shown(SCENE, QUESTION), max_tokens=24)
    alone = Ego(served.service.backbone, served.service.library("me"))
    library = alone.look(str(SCENE)).answer(alone.look(str(SCENE)).prompt(QUESTION), 24)
    assert said.choices[0].message.content == library.text
    assert said.usage.prompt_tokens == library.prompt_tokens
    assert said.model_extra["ego"]["concepts"] == {"used": ["Bo"], "dropped": [], "mentioned": list(library.mentioned)}


def test_streams_the_same_words(client: openai.OpenAI) -> None:
    whole = ask(client, shown(SCENE, QUESTION), max_tokens=24)
    more = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(ask(client, shown(SCENE, QUESTION), max_tokens=24, **more))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert len(chunks) > 4
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason


def test_concepts_can_be_restricted_and_switched_off(client: openai.OpenAI) -> None:
    off = ask(client, shown(SCENE, QUESTION), max_tokens=4, extra_body={"ego": {"concepts": []}})
    by_header = ask(client, shown(SCENE, QUESTION), max_tokens=4, extra_headers={"X-Ego-Concepts": "none"})
    only = ask(client, shown(SCENE, QUESTION), max_tokens=4, extra_headers={"X-Ego-Concepts": "%42o"})
    assert off.model_extra["ego"]["concepts"]["used"] == by_header.model_extra["ego"]["concepts"]["used"] == []
    assert only.model_extra["ego"]["concepts"]["used"] == ["Bo"]
    assert off.usage.prompt_tokens < only.usage.prompt_tokens
    with pytest.raises(openai.NotFoundError):
        ask(client, shown(SCENE, QUESTION), extra_body={"ego": {"concepts": ["Nobody"]}})


def test_several_turns_several_images_and_a_system(client: openai.OpenAI) -> None:
    messages = [
        {"role": "system", "content": "Answer in one word."},
        *shown(SCENE, "Is Bo in this image?"),
        {"role": "assistant", "content": "Yes."},
        *shown(BO, "And in this one?"),
    ]
    said = ask(client, messages, max_tokens=8)
    assert said.choices[0].message.content
    assert said.usage.prompt_tokens > 300  # two images of 144 tokens, and Bo


def test_neighbouring_messages_of_one_speaker_are_one_turn(client: openai.OpenAI) -> None:
    parts = shown(SCENE, "What is it?")[0]["content"]
    apart = [{"role": "user", "content": "Image 1:"}, {"role": "user", "content": parts}]
    together = [{"role": "user", "content": [{"type": "text", "text": "Image 1:"}, *parts]}]
    assert ask(client, apart, max_tokens=8).usage == ask(client, together, max_tokens=8).usage


def test_max_tokens_and_stop(client: openai.OpenAI) -> None:
    short = ask(client, shown(SCENE, CAPTION), max_completion_tokens=3)
    whole = ask(client, shown(SCENE, CAPTION), max_tokens=24)
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens == 3
    text = whole.choices[0].message.content
    word = text.split()[2]
    stopped = ask(client, shown(SCENE, CAPTION), max_tokens=24, stop=[word])
    assert stopped.choices[0].message.content == text[: text.index(word)]
    assert stopped.choices[0].finish_reason == "stop"
    streamed = ask(client, shown(SCENE, CAPTION), max_tokens=24, stop=word, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in streamed) == text[: text.index(word)]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "JSON"),
        ({"n": 2}, "only one answer"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"functions": [{"name": "f"}]}, "tools"),
    ],
)
def test_what_the_engine_cannot_do_is_refused(client: openai.OpenAI, more: dict[str, Any], word: str) -> None:
    with pytest.raises(openai.BadRequestError, match=word):
        ask(client, shown(SCENE, QUESTION), **more)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"text": {"format": {"type": "json_object"}}}, "JSON"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}}, "JSON"),
        ({"background": True}, "not kept"),
    ],
)
def test_responses_refuse_what_cannot_be_done(client: openai.OpenAI, more: dict[str, Any], word: str) -> None:
    with pytest.raises(openai.BadRequestError, match=word):
        client.responses.create(model="mini", input="Who is Bo?", **more)


def test_bad_requests_say_what_is_wrong(client: openai.OpenAI) -> None:
    remote = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.jpg"}}]}]
    broken = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,!!"}}]}]
    with pytest.raises(openai.PermissionDeniedError, match="data URL"):
        ask(client, remote)
    with pytest.raises(openai.BadRequestError, match="base64"):
        ask(client, broken)
    with pytest.raises(openai.BadRequestError, match="message of the user"):
        ask(client, [{"role": "assistant", "content": "Hello"}])
    with pytest.raises(openai.UnprocessableEntityError, match="messages"):
        ask(client, [])


def test_responses_in_one_piece_and_streamed(client: openai.OpenAI) -> None:
    picture = shown(SCENE, "")[0]["content"][0]["image_url"]["url"]
    content = [{"type": "input_image", "image_url": picture}, {"type": "input_text", "text": QUESTION}]
    asked: Any = [{"role": "user", "content": content}]
    whole = client.responses.create(model="mini", input=asked, max_output_tokens=12)
    chat = ask(client, shown(SCENE, QUESTION), max_tokens=12)
    assert whole.output_text == chat.choices[0].message.content
    assert whole.usage is not None
    assert whole.usage.input_tokens == chat.usage.prompt_tokens
    with client.responses.stream(model="mini", input=asked, max_output_tokens=12) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == whole.output_text
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    more: Any = {"instructions": "Be brief.", "max_output_tokens": 4}
    assert client.responses.create(model="mini", input="Who is Bo?", **more).output
