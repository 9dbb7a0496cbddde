"""Every known misconfiguration of a vLLM server has a message that says what to do.

The server here is a small one that answers over HTTP with the words of vLLM 0.32 (`renderers/embed_utils.py`,
`renderers/base.py`, `renderers/params.py`, `multimodal/processing/context.py`); `make test-vllm` asks real ones.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.server.engines.probing import sample
from ego.server.engines.vllm.engine import VllmEngine
from ego.server.engines.vllm.replicas import Replicas
from ego.server.work import ModelThread
from tests.backbones import tiny

Answer = Callable[[bool], Response]


@dataclass
class Standing:
    """A server that speaks as vLLM does.

    Attributes:
        answer: Answers a chat; told whether it holds pixels.
        version: What it says of its version.
        models: What it serves.
        asked: Whether each chat so far held pixels.
    """

    answer: Answer
    version: str = "0.32.0"
    models: Response = field(default_factory=lambda: JSONResponse({"data": [{"id": "served"}]}))
    asked: list[bool] = field(default_factory=list)

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        assert body["model"] == "served"
        kinds = {part["type"] for message in body["messages"] for part in message["content"]}
        assert "prompt_embeds" in kinds
        self.asked.append("image_url" in kinds)
        return self.answer(self.asked[-1])

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/health", lambda request: Response()),
                Route("/version", lambda request: JSONResponse({"version": self.version})),
                Route("/v1/models", lambda request: self.models),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
            ]
        )


@contextmanager
def listening(app: Any) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def trouble(backbone: Backbone, url: str) -> tuple[str, bool]:
    """What keeps a server from answering, and whether it takes pixels."""
    assert isinstance(backbone, HuggingFaceBackbone)

    async def look() -> tuple[str, bool]:
        model, replicas = ModelThread(8), Replicas([url], "", 60)
        engine = VllmEngine(backbone, model, replicas, 64)
        await engine.start()
        try:
            return await engine.trouble(), replicas.all[0].pixels
        finally:
            await engine.close()
            await asyncio.to_thread(model.close)

    return asyncio.run(look())


def right(backbone: Backbone, *, less: int = 0, other_word: bool = False, other_answer: bool = False) -> Response:
    """The answer of a server that reads and says what the model here does, or not quite."""
    assert isinstance(backbone, HuggingFaceBackbone)
    prompt, _ = sample(backbone)
    ids = list(backbone.chat.tokenize(prompt).ids)
    ids = ids[less:]
    if other_word:
        ids[0] += 1
    scores = backbone.next_token_logits([prompt])[0]
    said = int(scores.argmin() if other_answer else scores.argmax())
    content = [{"token": f"token_id:{said}", "logprob": -0.1, "top_logprobs": []}]
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "logprobs": {"content": content}}
    return JSONResponse({"choices": [choice], "prompt_token_ids": ids})


def refused(message: str, status: int = 400) -> Response:
    return JSONResponse({"error": {"message": message, "type": "BadRequestError", "code": status}}, status)


@pytest.fixture(scope="module")
def axes(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """A model whose pictures lie on a grid, so that they must travel as pixels."""
    return load_backbone(tiny.save("qwen2_5_vl", tmp_path_factory.mktemp("axes") / "qwen"), self_check=False)


def test_a_server_in_order_is_taken(mini: Backbone, axes: Backbone) -> None:
    for backbone in (mini, axes):
        with listening(Standing(lambda pixels, like=backbone: right(like)).app) as url:  # type: ignore[misc]
            assert trouble(backbone, url) == ("", True)


REFUSALS = {
    "You must set `--enable-prompt-embeds` to input `prompt_embeds`": "start it with that flag",
    "`prompt_embeds` hidden_size 256 does not match the model's hidden_size 64.": "serve the model that this service",
    "This model's maximum context length is 64 tokens. However, your request has 300 input tokens.": "--max-model-len",
    "Something that nobody has seen yet.": "Something that nobody has seen yet",
}


@pytest.mark.parametrize("message", REFUSALS)
def test_what_vllm_refuses_is_explained(mini: Backbone, axes: Backbone, message: str) -> None:
    with listening(Standing(lambda pixels: refused(message)).app) as url:
        for backbone in (mini, axes):
            said, _ = trouble(backbone, url)
            assert url in said
            assert REFUSALS[message] in said


FOR_PIXELS = {
    "Token id 151936 is out of vocabulary": "--tokenizer FOLDER",
    "At most 0 image(s) may be provided in one prompt.": "--limit-mm-per-prompt",
}


@pytest.mark.parametrize("message", FOR_PIXELS)
def test_pictures_go_as_rows_where_pixels_cannot(mini: Backbone, axes: Backbone, message: str) -> None:
    standing = Standing(lambda pixels: refused(message) if pixels else right(mini))
    with listening(standing.app) as url:
        assert trouble(mini, url) == ("", False)
        assert standing.asked == [True, False]
        said, _ = trouble(axes, url)
        assert FOR_PIXELS[message] in said
        assert standing.asked == [True, False, True]  # rows would lose their places on the grid


def test_a_server_that_is_not_quite_the_same_is_left_out(mini: Backbone, axes: Backbone) -> None:
    cut = Standing(lambda pixels: right(axes, less=4))
    other_word = Standing(lambda pixels: right(mini, other_word=True))
    other_weights = Standing(lambda pixels: right(mini, other_answer=True))
    template = Standing(lambda pixels: right(mini, less=2))
    for backbone, standing, word in (
        (axes, cut, "--mm-processor-kwargs"),
        (mini, other_word, "other words"),
        (mini, other_weights, "its weights are not the same"),
        (mini, template, "chat template differs"),
    ):
        with listening(standing.app) as url:
            assert word in trouble(backbone, url)[0]


def test_servers_that_are_old_closed_empty_or_none(mini: Backbone) -> None:
    def fine(pixels: bool) -> Response:
        return right(mini)

    for standing, word in (
        (Standing(fine, version="0.23.9"), "GHSA-33cg-gxv8-3p8g"),
        (Standing(fine, version="dev"), "does not say its version"),
        (Standing(fine, models=JSONResponse({"error": "Unauthorized"}, 401)), "EGO_VLLM_KEY"),
        (Standing(fine, models=JSONResponse({"data": []})), "serves no model"),
        (Standing(lambda pixels: JSONResponse({"choices": []})), "cannot be examined"),
        (Standing(lambda pixels: PlainTextResponse("bad gateway", 502)), "502"),
    ):
        with listening(standing.app) as url:
            said, _ = trouble(mini, url)
            assert word in said
    with listening(PlainTextResponse("<html>a router</html>")) as url:
        assert "without /v1" in trouble(mini, url)[0]
    assert "cannot be examined (ConnectError" in trouble(mini, "http://127.0.0.1:9")[0]


def test_a_server_is_taken_again_once_it_is_in_order(mini: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ego.server.engines.vllm.engine.HEALTH_SECONDS", 0.05)
    standing = Standing(lambda pixels: refused("You must set `--enable-prompt-embeds` to input `prompt_embeds`"))
    assert isinstance(mini, HuggingFaceBackbone)

    async def watch(url: str) -> None:
        model, replicas = ModelThread(8), Replicas([url], "", 60)
        engine = VllmEngine(mini, model, replicas, 64)
        await engine.start()
        try:
            assert await engine.trouble()
            standing.answer = lambda pixels: right(mini)
            async with asyncio.timeout(60):
                while await engine.trouble():
                    await asyncio.sleep(0.05)
        finally:
            await engine.close()
            await asyncio.to_thread(model.close)

    with listening(standing.app) as url:
        asyncio.run(watch(url))


def test_models_with_deepstack_are_refused(tmp_path: Path) -> None:
    backbone = load_backbone(tiny.save("qwen3_vl", tmp_path / "qwen3"), self_check=False)
    with listening(Standing(lambda pixels: right(backbone)).app) as url:
        assert "DeepStack" in trouble(backbone, url)[0]
