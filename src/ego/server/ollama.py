"""Ollama's API, for programs that speak nothing else: photo managers, camera recorders, home automation."""

import hashlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ego.errors import EgoError
from ego.server.answers import error_document, printable
from ego.server.calling import CurrentOwner, CurrentService, concept_headers, names_of, streamed, whole
from ego.server.conversation import Message, Reply, Wanted
from ego.server.failures import RefusedError
from ego.server.openai import EgoOptions, Open
from ego.server.pictures import PictureReader, from_base64
from ego.server.service import Service

router = APIRouter(tags=["Ollama"])
SPOKEN = "0.12.0"  # the release of Ollama whose API this is; clients compare it
NDJSON = "application/x-ndjson"
NANOSECONDS = 10**9


class Options(Open):
    """How to answer; what a greedy engine does not know is passed over."""

    num_predict: int | None = None
    stop: list[str] | str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = None


class Asking(Open):
    """What every request for an answer has."""

    model: str
    stream: bool | None = True
    format: str | dict[str, Any] | None = None
    options: Options | None = None
    logprobs: bool | None = False
    ego: EgoOptions | None = None


class OllamaMessage(Open):
    """A message."""

    role: Literal["system", "user", "assistant"]
    content: str | None = ""
    images: list[str] | None = None


class ChatRequest(Asking):
    """A request of /api/chat."""

    messages: list[OllamaMessage] = Field(default_factory=list)
    tools: list[dict[str, Any]] | None = None


class GenerateRequest(Asking):
    """A request of /api/generate."""

    prompt: str | None = ""
    system: str | None = None
    images: list[str] | None = None


class ShowRequest(Open):
    """A request of /api/show."""

    model: str = ""
    name: str = ""


@router.get("/", response_class=PlainTextResponse)
@router.head("/", response_class=PlainTextResponse, include_in_schema=False)
def root() -> str:
    """Say what clients look for."""
    return "Ollama is running"


@router.get("/api/version")
def version() -> dict[str, str]:
    """Say which API is spoken."""
    return {"version": SPOKEN}


@router.get("/api/tags")
def tags(service: CurrentService) -> dict[str, Any]:
    """List the one model there is."""
    return {"models": [_entry(service)]}


@router.get("/api/ps")
def running(service: CurrentService) -> dict[str, Any]:
    """List the model: it stays loaded."""
    return {"models": [_entry(service)]}


@router.post("/api/show")
def show(body: ShowRequest, service: CurrentService) -> dict[str, Any]:
    """Show the model."""
    service.require_model(body.model or body.name)
    card = service.backbone.card
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": _details(service),
        "model_info": {"general.architecture": card.family, f"{card.family}.context_length": card.context_length},
        "capabilities": ["completion", "vision"],
    }


@router.post("/api/chat", response_model=None)
async def chat(body: ChatRequest, request: Request, service: CurrentService, owner: CurrentOwner) -> Response:
    """Answer a conversation, by default line by line."""
    if body.tools:
        raise RefusedError("tools are not called by this service; leave them out")
    service.require_model(body.model)
    spelling = _Spelling(service, lambda text: {"message": {"role": "assistant", "content": text}})
    if not body.messages:
        return JSONResponse(spelling.loaded())
    service.pictures.require_few([image for message in body.messages for image in message.images or ()])
    messages = [await _read(message, service.pictures) for message in body.messages]
    return await _answer(body, request, service, owner, messages, spelling)


@router.post("/api/generate", response_model=None)
async def generate(body: GenerateRequest, request: Request, service: CurrentService, owner: CurrentOwner) -> Response:
    """Answer one question, by default line by line."""
    service.require_model(body.model)
    spelling = _Spelling(service, lambda text: {"response": text})
    if not body.prompt and not body.images:
        return JSONResponse(spelling.loaded())
    service.pictures.require_few(body.images or ())
    asked = OllamaMessage(role="user", content=body.prompt, images=body.images)
    rules = [Message("system", (body.system,))] if body.system else []
    return await _answer(body, request, service, owner, [*rules, await _read(asked, service.pictures)], spelling)


async def _answer(
    body: Asking,
    request: Request,
    service: Service,
    owner: str,
    messages: Sequence[Message],
    spelling: "_Spelling",
) -> Response:
    events = service.replies(owner, messages, _wanted(body, request))
    if body.stream is not False:
        return await streamed(request, events, spelling.line, media_type=NDJSON, spell_error=_error_line)
    reply = await whole(request, events)
    return JSONResponse(spelling.document(reply, reply.text), headers=concept_headers(reply))


class _Spelling:
    """Spells one answer."""

    def __init__(self, service: Service, say: Any) -> None:
        self._model, self._say, self._began = service.model_name, say, time.monotonic()

    def loaded(self) -> dict[str, Any]:
        return {**self._frame(""), "done": True, "done_reason": "load"}

    def line(self, event: str | Reply) -> str:
        document = self.document(event, "") if isinstance(event, Reply) else {**self._frame(event), "done": False}
        return json.dumps(document) + "\n"

    def document(self, reply: Reply, text: str) -> dict[str, Any]:
        spent = round((time.monotonic() - self._began) * NANOSECONDS)
        return {
            **self._frame(text),
            "done": True,
            "done_reason": reply.finish,
            "total_duration": spent,
            "load_duration": 0,
            "prompt_eval_count": reply.prompt_tokens,
            "prompt_eval_duration": 0,
            "eval_count": reply.answer_tokens,
            "eval_duration": spent,
            "ego": {"concepts": reply.concepts},
        }

    def _frame(self, text: str) -> dict[str, Any]:
        return {"model": self._model, "created_at": datetime.now(UTC).isoformat(), **self._say(text)}


def _error_line(error: EgoError) -> str:
    return json.dumps(error_document("/api/", printable(str(error)), "")) + "\n"


async def _read(message: OllamaMessage, pictures: PictureReader) -> Message:
    shown = [picture for image in message.images or [] for picture in await _picture(image, pictures)]
    return Message(message.role, (*shown, *([message.content] if message.content else [])))


async def _picture(image: str, pictures: PictureReader) -> tuple[Any, ...]:
    """Read an image; some programs send a data URL where Ollama wants bare base64."""
    return await (pictures.at(image) if image[:5].lower() == "data:" else pictures.decode(from_base64(image)))


def _wanted(body: Asking, request: Request) -> Wanted:
    options = body.options or Options()
    sampling = {"temperature": options.temperature, "top_p": options.top_p, "seed": options.seed}
    if isinstance(body.format, str) and body.format not in ("", "json"):
        raise RefusedError("format must be 'json' or a JSON schema")
    if body.logprobs:
        raise RefusedError("probabilities of tokens are told by /v1/chat/completions only; leave logprobs out")
    return Wanted(
        max_tokens=options.num_predict if options.num_predict and options.num_predict > 0 else None,
        stop=(options.stop,) if isinstance(options.stop, str) else tuple(options.stop or ()),
        names=names_of(request, body.ego.concepts if body.ego else None),
        schema={"type": "object"} if body.format == "json" else (body.format or None),  # type: ignore[arg-type]
        sampling=tuple((name, value) for name, value in sampling.items() if value is not None),
    )


def _entry(service: Service) -> dict[str, Any]:
    name = f"{service.model_name}:latest"
    return {
        "name": name,
        "model": name,
        "modified_at": "2026-01-01T00:00:00Z",
        "size": 0,
        "digest": hashlib.sha256(service.backbone.fingerprint.weights.encode()).hexdigest(),
        "details": _details(service),
    }


def _details(service: Service) -> dict[str, Any]:
    family = service.backbone.card.family
    return {
        "parent_model": "",
        "format": "safetensors",
        "family": family,
        "families": [family],
        "parameter_size": "",
        "quantization_level": "",
    }
