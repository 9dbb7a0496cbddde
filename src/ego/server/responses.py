"""OpenAI's responses in their basic form: words and pictures in, text out, in one piece or streamed."""

import secrets
import time
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from ego.server.answers import printable
from ego.server.calling import CurrentOwner, CurrentService, concept_headers, names_of, streamed, whole
from ego.server.conversation import Message, Reply, Wanted
from ego.server.failures import RefusedError
from ego.server.openai import ChatMessage, EgoOptions, Open, read_messages, server_sent, server_sent_error

router = APIRouter(tags=["OpenAI"])


class TextFormat(Open):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    schema_: dict[str, Any] = Field(default_factory=lambda: {"type": "object"}, alias="schema")


class TextOptions(Open):
    """How the words are wanted."""

    format: TextFormat | None = None


class ResponsesRequest(Open):
    """A request for a response."""

    model: str
    input: str | list[ChatMessage]
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    stream: bool | None = False
    previous_response_id: str | None = None
    tools: list[dict[str, Any]] | None = None
    background: bool | None = False
    text: TextOptions | None = None
    ego: EgoOptions | None = None


@router.post("/v1/responses", response_model=None)
async def responses(body: ResponsesRequest, request: Request, service: CurrentService, owner: CurrentOwner) -> Response:
    """Answer; nothing is kept, so the whole conversation comes with every request."""
    service.require_model(body.model)
    if body.previous_response_id or body.tools or body.background:
        raise RefusedError("responses are not kept and tools are not called; send the whole conversation as input")
    form = body.text.format if body.text else None
    given = [ChatMessage(role="user", content=body.input)] if isinstance(body.input, str) else body.input
    rules = [Message("system", (body.instructions,))] if body.instructions else []
    messages = [*rules, *await read_messages(given, service.pictures)]
    sampling = {"temperature": body.temperature, "top_p": body.top_p}
    wanted = Wanted(
        max_tokens=body.max_output_tokens,
        names=names_of(request, body.ego.concepts if body.ego else None),
        schema=form.schema_ if form and form.type != "text" else None,
        sampling=tuple((name, value) for name, value in sampling.items() if value is not None),
    )
    spelling = _Spelling(body.model)
    events = service.replies(owner, messages, wanted)
    if body.stream:
        return await streamed(
            request,
            events,
            spelling.event,
            media_type="text/event-stream",
            spell_error=server_sent_error,
            head=spelling.opening(),
        )
    reply = await whole(request, events)
    return JSONResponse(spelling.document(reply), headers=concept_headers(reply))


class _Spelling:
    """Spells one response."""

    def __init__(self, model_name: str) -> None:
        self._message = f"msg_{secrets.token_hex(12)}"
        self._number = 0
        self._frame = {
            "id": f"resp_{secrets.token_hex(12)}",
            "object": "response",
            "created_at": int(time.time()),
            "model": printable(model_name),
            "parallel_tool_calls": False,
            "tool_choice": "none",
            "tools": [],
        }

    def opening(self) -> str:
        begun = {**self._frame, "status": "in_progress", "output": []}
        place = {"item_id": self._message, "output_index": 0, "content_index": 0}
        return (
            self._send("response.created", response=begun)
            + self._send("response.output_item.added", output_index=0, item=self._item("", "in_progress"))
            + self._send("response.content_part.added", **place, part=_part(""))
        )

    def event(self, event: str | Reply) -> str:
        place = {"item_id": self._message, "output_index": 0, "content_index": 0}
        if isinstance(event, str):
            return self._send("response.output_text.delta", **place, delta=event, logprobs=[])
        done = self._item(event.text, "completed")
        return (
            self._send("response.output_text.done", **place, text=event.text, logprobs=[])
            + self._send(
                "response.content_part.done",
                **place,
                part={"type": "output_text", "text": event.text, "annotations": []},
            )
            + self._send("response.output_item.done", output_index=0, item=done)
            + self._send("response.completed", response=self.document(event))
        )

    def document(self, reply: Reply) -> dict[str, Any]:
        cut = reply.finish == "length"
        return {
            **self._frame,
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": [self._item(reply.text, "incomplete" if cut else "completed")],
            "usage": {
                "input_tokens": reply.prompt_tokens,
                "input_tokens_details": {"cached_tokens": reply.cached_tokens},
                "output_tokens": reply.answer_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": reply.prompt_tokens + reply.answer_tokens,
            },
            "ego": {"concepts": reply.concepts},
        }

    def _item(self, text: str, status: str) -> dict[str, Any]:
        content = [_part(text)] if text else []
        return {"id": self._message, "type": "message", "role": "assistant", "status": status, "content": content}

    def _send(self, kind: str, **fields: Any) -> str:
        self._number += 1
        return server_sent({"type": kind, "sequence_number": self._number - 1, **fields}, kind)


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}
