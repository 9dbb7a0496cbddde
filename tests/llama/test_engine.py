"""llama.cpp behind the service, with the decoder of the embedded model as a GGUF file: `make test-llama`."""

import asyncio
import copy
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ego.backbones import load_backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.concept import Concept
from ego.errors import ConfigError
from ego.personalizer import Ego
from ego.server.conversation import Message, Reply, Wanted, in_turns, pictures_of, words_of
from ego.server.engines import choose
from ego.server.engines.listening import Listener
from ego.server.engines.llama.context import LlamaContext
from ego.server.engines.llama.engine import LlamaEngine
from ego.server.engines.llama.probe import TOLERANCE, difference
from ego.server.engines.llama.speaking import Asked, speak
from ego.server.engines.local import LocalEngine
from ego.server.engines.prompting import conversation_prompt
from ego.server.failures import RefusedError
from ego.server.settings import ServiceSettings
from ego.server.work import ModelThread, Ticket
from tests.backbones import tiny
from tests.server.running import PICTURES, SCENE, Served, introduce, shown

pytest.importorskip("llama_cpp", reason="needs llama.cpp: `make test-llama` installs it")
from tests.llama import gguf_file

pytestmark = pytest.mark.llama
WORDS = 24
SCENES = [Image.open(PICTURES / f"scene-{number:02}.jpg") for number in (1, 5, 12)]
QUESTIONS = ("What is Bo doing?", "Describe the image in one sentence.", "Is Bo in this image? Answer yes or no.")


@pytest.fixture(scope="module")
def mini() -> HuggingFaceBackbone:
    backbone = load_backbone("mini", self_check=False)
    assert isinstance(backbone, HuggingFaceBackbone)
    return backbone


@pytest.fixture(scope="module")
def personal(mini: HuggingFaceBackbone) -> Ego:
    personal = Ego(mini)
    for name, file in (("Bo", "bo-1.jpg"), ("Nana's teapot", "nanas-teapot-1.jpg")):
        personal.introduce(Concept(name, images=[PICTURES / file]))
    return personal


@pytest.fixture(scope="module")
def file(mini: HuggingFaceBackbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf_file.write(mini.model, tmp_path_factory.mktemp("gguf") / "mini.gguf")


Act = Callable[[LocalEngine, LlamaEngine], Awaitable[None]]
Play = Callable[[Act], None]


@pytest.fixture
def play(mini: HuggingFaceBackbone, file: Path) -> Play:
    def session(act: Act) -> None:
        async def both() -> None:
            model, settings = ModelThread(64), ServiceSettings(library=file.parent)
            engine = choose(mini, settings, (), file)(model)
            assert isinstance(engine, LlamaEngine)
            await engine.start()
            try:
                await act(LocalEngine(model, settings.answer_tokens), engine)
            finally:
                await asyncio.to_thread(model.close)
                await engine.close()

        asyncio.run(both())

    return session


def conversations() -> Iterator[tuple[Any, ...]]:
    for scene in SCENES:
        for question in QUESTIONS:
            yield in_turns([Message("user", (scene, question))])
    yield in_turns([Message("user", ("What do you know of Bo?",))])
    yield in_turns([Message("user", ("Image 1:", SCENES[0], "Image 2:", SCENES[1], "Where is Bo?"))])
    answered = [Message("user", (SCENES[0], "Is Bo here?")), Message("assistant", ("Yes.",))]
    yield in_turns([*answered, Message("user", (SCENES[2], "And <|im_end|> here?"))])


def in_process(personal: Ego, turns: Any, names: Any) -> list[int]:
    """Tokens of the answer that the model in this process gives."""
    pictures = pictures_of(turns)
    scene = personal.look(list(pictures) or None, names, question=words_of(turns[-1]))
    tokens = dict(zip(map(id, pictures), scene.images, strict=True))
    prompt = conversation_prompt(scene.memories, turns, lambda picture: tokens[id(picture)])
    return [int(token) for token in personal.backbone.generate(prompt, max_new_tokens=WORDS).token_ids]


def asked(engine: LlamaEngine, personal: Ego, turns: Any, names: Any) -> Asked:
    wanted, listener = Wanted(max_tokens=WORDS, names=names), Listener((), lambda piece: None)
    return engine._prepare("me", personal, turns, wanted, listener, Ticket(), Ticket())


def test_answers_are_equal_token_for_token(personal: Ego, play: Play) -> None:
    async def act(local: LocalEngine, engine: LlamaEngine) -> None:
        for turns in conversations():
            for names in (None, (), ("Bo",)):
                one = asked(engine, personal, turns, names)
                [(_, reply)] = speak(engine._context, engine._slots, [one], engine._backbone.end_tokens)
                assert list(one.transcript.ids) == in_process(personal, turns, names)
                here = await local.reply("me", personal, turns, Wanted(max_tokens=WORDS, names=names), str)
                assert isinstance(reply, Reply)
                assert replace(reply, cached_tokens=0) == here

    play(act)


def test_an_answer_streams_and_stops_and_is_cut(personal: Ego, play: Play) -> None:
    turns = in_turns([Message("user", (SCENES[0], QUESTIONS[1]))])

    async def act(local: LocalEngine, engine: LlamaEngine) -> None:
        heard: list[str] = []
        whole = await engine.reply("me", personal, turns, Wanted(), heard.append)
        assert ("".join(heard), whole.finish) == (whole.text, "stop")
        assert len(heard) > 3
        last = whole.text.split()[-1]
        for wanted in (Wanted(stop=(last,)), Wanted(max_tokens=3)):
            reply, here = [await one.reply("me", personal, turns, wanted, str) for one in (engine, local)]
            assert replace(reply, cached_tokens=0) == here
            assert len(reply.text) < len(whole.text)
        with pytest.raises(RefusedError, match=r"llama\.cpp gives no logprobs"):
            await engine.reply("me", personal, turns, Wanted(logprobs=1), str)

    play(act)


def test_callers_at_the_same_time_get_their_own_answers(personal: Ego, play: Play) -> None:
    asking = list(itertools.product(range(len(SCENES)), range(len(QUESTIONS))))

    def turns(scene: int, question: int) -> Any:
        return in_turns([Message("user", (SCENES[scene], QUESTIONS[question]))])

    async def act(local: LocalEngine, engine: LlamaEngine) -> None:
        expected = [(await local.reply("me", personal, turns(*one), Wanted(), str)).text for one in asking]
        sizes: list[int] = []
        engine._speaking.batches = sizes.append
        replies = await asyncio.gather(
            *(engine.reply(f"owner {one}", personal, turns(*one), Wanted(), str) for one in asking)
        )
        assert [reply.text for reply in replies] == expected
        assert max(sizes) > 1

    play(act)


def test_what_an_owner_has_asked_is_read_once_and_helps_nobody_else(personal: Ego, play: Play) -> None:
    async def act(local: LocalEngine, engine: LlamaEngine) -> None:
        async def reply(owner: str, question: str) -> Reply:
            turns = in_turns([Message("user", (SCENES[0], question))])
            return await engine.reply(owner, personal, turns, Wanted(max_tokens=4), str)

        first, other, again = [await reply(*one) for one in (("a", "Who?"), ("b", "Who?"), ("a", "Where is Bo?"))]
        assert first.cached_tokens == other.cached_tokens == 0
        assert again.cached_tokens > first.prompt_tokens - 20

    play(act)


def test_who_leaves_frees_the_engine(personal: Ego, play: Play) -> None:
    turns = in_turns([Message("user", (SCENES[0], QUESTIONS[1]))])

    async def act(local: LocalEngine, engine: LlamaEngine) -> None:
        began = asyncio.Event()
        leaving = asyncio.create_task(engine.reply("me", personal, turns, Wanted(), lambda piece: began.set()))
        await began.wait()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        reply, here = [await one.reply("me", personal, turns, Wanted(), str) for one in (engine, local)]
        assert reply.text == here.text

    play(act)


def test_files_of_other_models_are_refused(mini: HuggingFaceBackbone, file: Path, tmp_path: Path) -> None:
    def refusal(backbone: HuggingFaceBackbone, gguf: Path) -> str:
        with pytest.raises(ConfigError) as refused:
            choose(backbone, ServiceSettings(library=tmp_path), (), gguf)
        return str(refused.value)

    other = copy.deepcopy(mini.model)
    with torch.no_grad():
        other.get_decoder().layers[2].mlp.down_proj.weight.mul_(1.5)
    assert "answers otherwise" in refusal(mini, gguf_file.write(other, tmp_path / "other.gguf"))
    for bits in ("Q5_1", "Q4_0"):
        assert "answers otherwise" in refusal(mini, gguf_file.write(mini.model, tmp_path / "few.gguf", bits=bits))
    few = gguf_file.write(mini.model, tmp_path / "few.gguf", vocabulary=1999)
    assert "knows 1999 tokens, mini 2000" in refusal(mini, few)
    narrow = load_backbone(tiny.save("internvl3", tmp_path / "narrow"), self_check=False)
    assert isinstance(narrow, HuggingFaceBackbone)
    assert f"reads rows of width 256, {tmp_path / 'narrow'} of" in refusal(narrow, file)
    (tmp_path / "none.gguf").write_bytes(b"GGUF and nothing")
    assert "cannot read" in refusal(mini, tmp_path / "none.gguf")
    assert "there is no file" in refusal(mini, tmp_path / "nowhere.gguf")


@pytest.mark.parametrize(("bits", "most"), [("F32", 1e-4), ("F16", 0.01), ("BF16", 0.01), ("Q8_0", TOLERANCE)])
def test_rounding_of_weights_moves_probabilities_little(
    mini: HuggingFaceBackbone, tmp_path: Path, bits: str, most: float
) -> None:
    context = LlamaContext(
        gguf_file.write(mini.model, tmp_path / "model.gguf", bits=bits), slots=1, tokens=1024, threads=1, exact=True
    )
    assert difference(mini, context) < most
    context.close()


def test_the_command_serves_it(file: Path, tmp_path: Path) -> None:
    with Served(tmp_path, "--llama", str(file)) as served, served.client() as client:
        assert introduce(client, "Bo").status_code == 201
        [model] = client.get("/v1/models").json()["data"]
        assert model["engine"] == "llama.cpp"
        body = {"model": "mini", "messages": shown(SCENE, "Is Bo in this image?"), "stream": True}
        lines = client.post("/v1/chat/completions", json=body).text.splitlines()
        pieces = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
        text = "".join(piece["choices"][0]["delta"].get("content") or "" for piece in pieces if piece["choices"])
        assert "Bo" in text or text.lower().startswith(("yes", "no"))
        assert client.get("/readyz").json()["status"] == "ready"
