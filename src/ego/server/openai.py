"""OpenAI's chat completions and list of models, as its clients and everything built on them speak."""

import json
import secrets
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from ego.errors import EgoError
from ego.server.answers import error_document, printable
from ego.server.calling import CurrentOwner, CurrentService, concept_headers, names_of, streamed, whole
from ego.server.conversation import Message, Reply, Wanted
from ego.server.failures import RefusedError, status_of
from ego.server.pictures import PictureReader

router = APIRouter(tags=["OpenAI"])
_WORDS = ("text", "input_text", "output_text")
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Open(BaseModel):
    """A document of the protocol; fields this service does not know are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Address(Open):
    """Where a picture or clip is: a data URL, or an address on a host that the operator allows."""

    url: str


class ContentPart(Open):
    """A piece of a message."""

    type: Literal["text", "image_url", "video_url", "input_text", "output_text", "input_image"]
    text: str | None = None
    image_url: Address | str | None = None
    video_url: Address | str | None = None


class ChatMessage(Open):
    """A message."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart] | None = None


class EgoOptions(Open):
    """What only this service knows."""

    concepts: list[str] | None = Field(default=None, description="Concepts that may enter; [] switches them off.")


class Schema(Open):
    """A JSON schema with a name."""

    name: str = ""
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")


class ResponseFormat(Open):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: Schema | None = None


class StreamOptions(Open):
    """What a stream tells."""

    include_usage: bool | None = False


class ChatRequest(Open):
    """A request for a chat completion."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    n: int | None = 1
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Fraction | None = None
    seed: int | None = None
    logprobs: bool | None = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[dict[str, Any]] | None = None
    functions: list[dict[str, Any]] | None = None
    ego: EgoOptions | None = None


@router.get("/v1/models")
def models(service: CurrentService) -> dict[str, Any]:
    """List the one model there is."""
    return {"object": "list", "data": [_model(service)]}


@router.get("/v1/models/{name:path}")
def model(name: str, service: CurrentService) -> dict[str, Any]:
    """Show the model."""
    service.require_model(name)
    return _model(service)


@router.post("/v1/chat/completions", response_model=None)
async def chat_completions(
    body: ChatRequest, request: Request, service: CurrentService, owner: CurrentOwner
) -> Response:
    """Answer a conversation; the owner's concepts enter by themselves."""
    service.require_model(body.model)
    messages = await read_messages(body.messages, service.pictures)
    events = service.replies(owner, messages, _wanted(body, request))
    completion = _Completion(body.model, bool(body.stream_options and body.stream_options.include_usage))
    if body.stream:
        return await streamed(
            request,
            events,
            completion.event,
            media_type="text/event-stream",
            spell_error=server_sent_error,
            head=completion.opening(),
            tail="data: [DONE]\n\n",
        )
    reply = await whole(request, events)
    return JSONResponse(completion.document(reply), headers=concept_headers(reply))


async def read_messages(messages: Sequence[ChatMessage], pictures: PictureReader) -> list[Message]:
    """Read the words and pictures of messages."""
    shown = [part for message in messages for part in message.content or () if _is_shown(part)]
    pictures.require_few(shown)
    read = []
    for message in messages:
        parts = (
            [ContentPart(type="text", text=message.content)] if isinstance(message.content, str) else message.content
        )
        content = [piece for part in parts or [] for piece in await _read_part(part, pictures)]
        role: Any = "system" if message.role == "developer" else message.role
        read.append(Message(role, tuple(content)))
    return read


def server_sent(document: dict[str, Any], event: str = "") -> str:
    """Write a server-sent event."""
    return (f"event: {event}\n" if event else "") + f"data: {json.dumps(document)}\n\n"


def server_sent_error(error: EgoError) -> str:
    """Write an error that comes in the middle of a stream."""
    return server_sent(error_document("/v1", printable(str(error)), status_of(error)[1]))


def usage(reply: Reply) -> dict[str, Any]:
    """Count tokens as OpenAI does."""
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.answer_tokens,
        "total_tokens": reply.prompt_tokens + reply.answer_tokens,
        "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
    }


class _Completion:
    """Spells one completion."""

    def __init__(self, model_name: str, with_usage: bool) -> None:
        self._with_usage = with_usage
        self._frame = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": printable(model_name),
        }

    def document(self, reply: Reply) -> dict[str, Any]:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": reply.text, "refusal": None},
            "finish_reason": reply.finish,
            "logprobs": None if reply.logprobs is None else {"content": reply.logprobs},
        }
        frame = {**self._frame, "object": "chat.completion", "choices": [choice], "usage": usage(reply)}
        return {**frame, "ego": {"concepts": reply.concepts}}

    def opening(self) -> str:
        return self._chunk({"role": "assistant", "content": ""}, None)

    def event(self, event: str | Reply) -> str:
        if isinstance(event, str):
            return self._chunk({"content": event}, None)
        logprobs = {} if event.logprobs is None else {"logprobs": {"content": event.logprobs}}
        last = self._chunk({}, event.finish, **logprobs, extra={"ego": {"concepts": event.concepts}})
        if not self._with_usage:
            return last
        return last + server_sent({**self._chunk_frame(), "choices": [], "usage": usage(event)})

    def _chunk(
        self, delta: dict[str, Any], finish: str | None, extra: dict[str, Any] | None = None, **more: Any
    ) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None, **more}
        return server_sent({**self._chunk_frame(), "choices": [choice], **(extra or {})})

    def _chunk_frame(self) -> dict[str, Any]:
        return {**self._frame, "object": "chat.completion.chunk"}


def _model(service: CurrentService) -> dict[str, Any]:
    card = service.backbone.card
    return {
        "id": service.model_name,
        "object": "model",
        "created": 0,
        "owned_by": "ego",
        "family": card.family,
        "context_length": card.context_length,
        "engine": service.engine.name,
        "video_frames": service.config.video_frames,
        "has_geometry": card.has_geometry,
    }


def _is_shown(part: ContentPart | str) -> bool:
    return isinstance(part, ContentPart) and part.type not in _WORDS


async def _read_part(part: ContentPart, pictures: PictureReader) -> tuple[Any, ...]:
    if not _is_shown(part):
        return (part.text,) if part.text else ()
    where = part.video_url if part.type == "video_url" else part.image_url
    if where is None:
        raise RefusedError(f"a part of type {part.type} holds no address; give a data URL")
    return await pictures.at(where if isinstance(where, str) else where.url)


def _wanted(body: ChatRequest, request: Request) -> Wanted:
    if (body.n or 1) != 1:
        raise RefusedError("only one answer is given to a question; leave n out")
    if body.tools or body.functions:
        raise RefusedError("tools are not called by this service; leave them out, or use its MCP endpoint /mcp")
    form = body.response_format
    schema = None
    if form is not None and form.type != "text":
        schema = form.json_schema.schema_ if form.json_schema else {"type": "object"}
    sampling = {"temperature": body.temperature, "top_p": body.top_p, "seed": body.seed}
    return Wanted(
        max_tokens=body.max_completion_tokens or body.max_tokens,
        stop=(body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ()),
        names=names_of(request, body.ego.concepts if body.ego else None),
        logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        schema=schema,
        sampling=tuple((name, value) for name, value in sampling.items() if value is not None),
    )
