"""The engine that asks vLLM: prompts are made here, answers come from the replica that is this owner's own.

An answer that breaks off goes on at another replica: what the caller has heard already is said again and left out.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import httpx2
from PIL import Image

from ego.answer import mentions
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.personalizer import Ego
from ego.prompt import Prompt
from ego.server.conversation import Message, Reply, Wanted, pictures_of, words_of
from ego.server.engines.base import Offers
from ego.server.engines.prompting import answer_room, conversation_prompt
from ego.server.engines.vllm.parts import ChatParts
from ego.server.engines.vllm.probe import UnfitError, examine
from ego.server.engines.vllm.replicas import Replica, Replicas, salt
from ego.server.failures import EngineError, RefusedError
from ego.server.work import ModelThread, Ticket

_log = logging.getLogger(__name__)
HEALTH_SECONDS = 2.0
_OURS_TO_TELL = range(400, 500)  # the server refuses the request; another one would, too


@dataclass(frozen=True, eq=False)
class _Asked:
    """A prompt with what a reply tells of it."""

    prompt: Prompt
    images: dict[int, Image.Image]
    used: tuple[str, ...]
    dropped: tuple[str, ...]
    room: int


class _BrokenError(Exception):
    """A replica failed; another one may do."""


class VllmEngine:
    """Answers through vLLM servers.

    Args:
        backbone: The same model in this process: it introduces, recognizes, encodes pictures and lays prompts out.
        model: The thread that owns it.
        replicas: The servers.
        longest: Most tokens of an answer.
    """

    def __init__(self, backbone: HuggingFaceBackbone, model: ModelThread, replicas: Replicas, longest: int) -> None:
        self.name, self.offers = "vllm", Offers(logprobs=True, schema=True)
        self._backbone, self._model, self._replicas, self._longest = backbone, model, replicas, longest
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look at every server, and keep looking."""
        await asyncio.gather(*(self._look_at(replica) for replica in self._replicas.all))
        self._watching = asyncio.create_task(self._watch())

    async def reply(
        self, owner: str, personal: Ego, turns: Sequence[Message], wanted: Wanted, emit: Callable[[str], None]
    ) -> Reply:
        """Choose the memories here and let the owner's replica answer; the next one, if it fails."""
        self.offers.require(wanted, self.name)
        longest = min(self._longest, wanted.max_tokens or personal.config.answer_tokens)
        asked = await self._model.run(owner, lambda ticket: _prepare(personal, turns, wanted.names, longest, ticket))
        heard = _Heard(emit)
        for replica in self._replicas.for_owner(owner):
            try:
                return await self._ask(replica, owner, asked, wanted, heard)
            except _BrokenError as error:
                self._replicas.failed(replica, str(error))
                heard.begin_again()
        raise EngineError(f"every vLLM server failed: {self._replicas.trouble()}")

    async def trouble(self) -> str:
        """Say what is wrong, if no server can answer."""
        able = any(not replica.trouble for replica in self._replicas.all)
        return "" if able else self._replicas.trouble()

    async def close(self) -> None:
        """Stop looking and close all connections."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        await self._replicas.close()

    async def _ask(self, replica: Replica, owner: str, asked: _Asked, wanted: Wanted, heard: "_Heard") -> Reply:
        body = self._body(replica, owner, asked, wanted)
        last: dict[str, Any] = {}
        finish: Literal["stop", "length"] = "stop"
        logprobs: list[dict[str, Any]] = []
        async for chunk in self._chunks(replica, body):
            last = chunk.get("usage") or last
            for choice in chunk.get("choices", []):
                heard.hear((choice.get("delta") or {}).get("content") or "")
                finish = "length" if choice.get("finish_reason") == "length" else finish
                logprobs += (choice.get("logprobs") or {}).get("content") or []
        details = last.get("prompt_tokens_details") or {}
        return Reply(
            text=heard.text,
            finish=finish,
            prompt_tokens=int(last.get("prompt_tokens") or 0),
            answer_tokens=int(last.get("completion_tokens") or 0),
            cached_tokens=int(details.get("cached_tokens") or 0),
            used=asked.used,
            dropped=asked.dropped,
            mentioned=tuple(name for name in asked.used if mentions(heard.text, name)),
            logprobs=None if wanted.logprobs is None else logprobs,
        )

    def _body(self, replica: Replica, owner: str, asked: _Asked, wanted: Wanted) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": replica.model,
            "messages": ChatParts(self._backbone, replica.pixels).messages(asked.prompt, asked.images),
            "max_tokens": asked.room,
            "temperature": 0,
            "cache_salt": salt(owner),
            "stream": True,
            "stream_options": {"include_usage": True},
            "chat_template_kwargs": {"enable_thinking": False},
        }
        if wanted.stop:
            body["stop"] = list(wanted.stop)
        if wanted.logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": wanted.logprobs}
        if wanted.schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": wanted.schema},
            }
        return body | dict(wanted.sampling)

    async def _chunks(self, replica: Replica, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        done = False
        try:
            async with self._replicas.http.stream("POST", f"{replica.url}/v1/chat/completions", json=body) as response:
                if response.status_code != httpx2.codes.OK:
                    _refuse(response.status_code, (await response.aread()).decode(errors="replace"))
                async for line in response.aiter_lines():
                    if line.startswith("data: ") and line != "data: [DONE]":
                        chunk = json.loads(line.removeprefix("data: "))
                        if "error" in chunk:
                            raise _BrokenError(str(chunk["error"])[:200])
                        yield chunk
                    done = done or line == "data: [DONE]"
        except (httpx2.HTTPError, ValueError) as error:
            raise _BrokenError(f"it broke off ({type(error).__name__})") from error
        if not done:
            raise _BrokenError("it broke off in the middle of an answer")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_SECONDS)
            for replica in self._replicas.all:
                if await self._replicas.alive(replica) and replica.trouble:
                    await self._look_at(replica)

    async def _look_at(self, replica: Replica) -> None:
        try:
            await examine(self._replicas, replica, self._backbone)
            _log.info("vLLM server %s answers with %s", replica.url, "pixels" if replica.pixels else "rows")
        except UnfitError as error:
            self._replicas.failed(replica, str(error))
        except (httpx2.HTTPError, KeyError, IndexError, ValueError) as error:
            self._replicas.failed(replica, f"it cannot be examined ({type(error).__name__}: {str(error)[:200]})")


class _Heard:
    """Passes an answer on, outer blanks off, and leaves out what was passed on before it had to begin again."""

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit, self._passed, self._said = emit, 0, ""

    @property
    def text(self) -> str:
        return self._said.strip()

    def hear(self, piece: str) -> None:
        self._said += piece
        if len(self.text) > self._passed:
            new, self._passed = self.text[self._passed :], len(self.text)
            self._emit(new)

    def begin_again(self) -> None:
        self._said = ""


def _prepare(
    personal: Ego, turns: Sequence[Message], names: tuple[str, ...] | None, longest: int, ticket: Ticket
) -> _Asked:
    """Choose memories and lay the prompt out, in the model's thread."""
    ticket.still_wanted()
    pictures = pictures_of(turns)
    sight = personal.sight(list(pictures) or None, names, question=words_of(turns[-1]))
    tokens = dict(zip(map(id, pictures), sight.images, strict=True))
    prompt = conversation_prompt(sight.memories, turns, lambda picture: tokens[id(picture)])
    images = {id(seen): picture for picture, seen in zip(pictures, sight.images, strict=True)}
    used = tuple(memory.name for memory in sight.memories)
    return _Asked(prompt, images, used, sight.dropped, answer_room(personal, prompt, longest))


def _refuse(status: int, text: str) -> None:
    """Tell the caller of a refusal that is about the request; leave a server that fails.

    Raises:
        RefusedError: If another server would refuse, too.
        _BrokenError: If another server may answer.
    """
    if status in _OURS_TO_TELL and status not in (401, 403, 404, 408, 429):
        try:
            message = str(json.loads(text)["error"]["message"])
        except (ValueError, KeyError, TypeError):
            message = text
        raise RefusedError(f"vLLM refuses the request: {message[:500]}")
    raise _BrokenError(f"it answered {status}")
