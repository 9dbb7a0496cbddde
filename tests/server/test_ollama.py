"""The official Ollama client against a running service, and the requests of programs that speak its API."""

import base64
import json
from typing import Any

import ollama
import pytest

from tests.server.running import SCENE, Running, data_url, shown

QUESTION = "Is Bo in this image? Answer with a single word, Yes or No."
IMAGE = base64.b64encode(SCENE.read_bytes()).decode()


@pytest.fixture(scope="module")
def client(served: Running) -> ollama.Client:
    return ollama.Client(host=served.url)


def test_says_which_model_there_is(served: Running, client: ollama.Client) -> None:
    assert [model.model for model in client.list().models] == ["mini:latest"]
    assert client.show("mini").capabilities == ["completion", "vision"]
    assert client.ps().models[0].model == "mini:latest"
    with pytest.raises(ollama.ResponseError, match="not served"):
        client.show("llava")
    with served.client() as plain:
        assert plain.get("/api/version").json()["version"]
        assert plain.get("/").text == "Ollama is running"
        assert plain.head("/").status_code == 200


def test_generates_from_an_image_in_one_piece_and_line_by_line(served: Running, client: ollama.Client) -> None:
    whole = client.generate("mini", QUESTION, images=[SCENE.read_bytes()], options={"num_predict": 8})
    lines = list(client.generate("mini", QUESTION, images=[IMAGE], options={"num_predict": 8}, stream=True))
    assert "".join(line.response for line in lines) == whole.response
    assert whole.done
    assert lines[-1].done_reason == whole.done_reason
    assert lines[-1].eval_count == whole.eval_count
    with served.client() as plain:
        body = {"model": "mini", "messages": shown(SCENE, QUESTION), "max_tokens": 8}
        other = plain.post("/v1/chat/completions", json=body).json()
    assert other["choices"][0]["message"]["content"] == whole.response


def test_chats_over_several_turns(client: ollama.Client) -> None:
    first: Any = {"role": "user", "content": QUESTION, "images": [SCENE.read_bytes()]}
    said = client.chat("mini", [first], options={"num_predict": 8})
    rules, doubt = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Are you sure?"}
    more: Any = [rules, first, said.message, doubt]
    lines = list(client.chat("mini", more, stream=True, options={"num_predict": 8, "stop": ["\n"]}))
    assert lines[-1].done
    assert "".join(line.message.content or "" for line in lines)


def test_an_empty_request_loads_the_model(client: ollama.Client) -> None:
    assert client.generate("mini").done_reason == "load"
    assert client.chat("mini", []).done_reason == "load"


def test_what_cannot_be_done_is_said_in_one_line(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="JSON"):
        client.generate("mini", QUESTION, format="json")
    with pytest.raises(ollama.ResponseError, match="neither an image"):
        client.generate("mini", QUESTION, images=[base64.b64encode(b"no image").decode()])


# Requests as the programs named send them, written anew from their public sources.
PROGRAMS: dict[str, tuple[str, dict[str, Any]]] = {
    "Frigate": (
        "/api/generate",
        {
            "model": "mini",
            "prompt": "Describe the dog in the sequence of images.",
            "stream": False,
            "images": [IMAGE, IMAGE],
            "options": {"temperature": 0.5, "repeat_penalty": 1.05, "presence_penalty": 0.3, "num_predict": 8},
        },
    ),
    "PhotoPrism": (
        "/api/generate",
        {
            "id": "b0d9d5a0-0000-4000-8000-000000000000",
            "model": "mini:latest",
            "system": "You are a photo cataloguer.",
            "prompt": "Create a caption with exactly one sentence in the active voice.",
            "suffix": "",
            "stream": False,
            "images": [data_url(SCENE)],
            "options": {"temperature": 0.1, "top_k": 40, "top_p": 0.9, "num_predict": 8, "stop": ["\n\n"]},
        },
    ),
    "LLM Vision, Ollama": (
        "/api/chat",
        {
            "model": "mini",
            "messages": [
                {"role": "system", "content": "Your task is to analyze a series of images."},
                {"role": "user", "content": "Image 1:", "images": [IMAGE]},
                {"role": "user", "content": "Image 2:", "images": [IMAGE]},
                {"role": "user", "content": "What happens at the door?"},
            ],
            "stream": False,
            "keep_alive": "5m",
            "options": {"temperature": 0.2, "num_ctx": 2048, "num_predict": 8, "top_p": 0.9},
        },
    ),
    "LLM Vision, OpenAI": (
        "/v1/chat/completions",
        {
            "model": "mini",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Image 1:"},
                        {"type": "image_url", "image_url": {"url": data_url(SCENE), "detail": "low"}},
                        {"type": "text", "text": "What happens at the door?"},
                    ],
                }
            ],
            "max_completion_tokens": 8,
            "temperature": 0.2,
            "top_p": 0.9,
        },
    ),
    "Open WebUI, OpenAI": (
        "/v1/chat/completions",
        {
            "model": "mini",
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Who is this?"},
                        {"type": "image_url", "image_url": {"url": data_url(SCENE)}},
                    ],
                }
            ],
            "max_tokens": 8,
            "session_id": "x",
            "chat_id": "y",
            "metadata": {},
        },
    ),
    "Open WebUI, Ollama": (
        "/api/chat",
        {
            "model": "mini:latest",
            "stream": True,
            "messages": [{"role": "user", "content": "Who is this?", "images": [IMAGE]}],
            "options": {"num_predict": 8},
            "keep_alive": "5m",
        },
    ),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_are_answered_with_the_concepts_in_mind(served: Running, program: str) -> None:
    path, body = PROGRAMS[program]
    with served.client() as client:
        response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    assert '"used": ["Bo"]' in response.text or '"used":["Bo"]' in response.text
    if "x-ndjson" in response.headers["content-type"]:
        assert json.loads(response.text.splitlines()[-1])["done"]


def test_curl_needs_no_content_type_for_ollama(served: Running) -> None:
    with served.client() as client:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = json.dumps({"model": "mini", "prompt": "Who is Bo?", "stream": False, "options": {"num_predict": 4}})
        assert client.post("/api/generate", content=body, headers=headers).json()["done"]


def test_what_is_not_offered_is_refused_and_not_passed_over(served: Running) -> None:
    with served.client() as client:
        for more, word in (({"logprobs": True}, "logprobs"), ({"format": "xml"}, "format")):
            refused = client.post("/api/generate", json={"model": "mini", "prompt": "Hello", "stream": False} | more)
            assert refused.status_code == 400
            assert word in refused.text
