"""What every protocol needs of a request: who calls, which concepts may enter, is the caller still there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, NoReturn, TypeVar
from urllib.parse import quote, unquote

from fastapi import Depends, Request
from starlette.responses import Response, StreamingResponse

from ego.errors import EgoError
from ego.server.conversation import Reply
from ego.server.failures import CallerLeftError
from ego.server.service import Service

T = TypeVar("T")
CONCEPTS_HEADER = "X-Ego-Concepts"
USED_HEADER, DROPPED_HEADER = "X-Ego-Concepts-Used", "X-Ego-Concepts-Dropped"
NO_CONCEPT = "none"


def service_of(request: Request) -> Service:
    """Give the service of an application."""
    found: Service = request.app.state.service
    return found


def owner_of(request: Request) -> str:
    """Give the owner whose key the gate saw."""
    return str(request.state.owner)


CurrentService = Annotated[Service, Depends(service_of)]
CurrentOwner = Annotated[str, Depends(owner_of)]


def names_of(request: Request, field: list[str] | None) -> tuple[str, ...] | None:
    """Say which concepts may enter: the field of the request, else its header, else all.

    The header lists names in percent-encoding, with commas between; "none" switches the concepts off.
    """
    header = request.headers.get(CONCEPTS_HEADER)
    if field is not None or header is None:
        return None if field is None else tuple(field)
    if header.strip().lower() in (NO_CONCEPT, ""):
        return ()
    return tuple(unquote(name.strip()) for name in header.split(",") if name.strip())


def concept_headers(reply: Reply) -> dict[str, str]:
    """Say in headers which concepts were used and dropped, for clients that hide unknown fields."""
    return {
        USED_HEADER: ",".join(quote(name) for name in reply.used),
        DROPPED_HEADER: ",".join(quote(name) for name in reply.dropped),
    }


def note(request: Request, reply: Reply) -> None:
    """Let the log know the sizes of an answer."""
    request.state.noted = {
        "prompt_tokens": reply.prompt_tokens,
        "answer_tokens": reply.answer_tokens,
        "concepts": len(reply.used),
        "dropped": len(reply.dropped),
    }


async def while_there(request: Request, work: Awaitable[T]) -> T:
    """Do work; if the caller leaves meanwhile, stop it.

    Raises:
        CallerLeftError: If so.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() or not gone.done() else await _stopped(task)
    finally:
        task.cancel()
        gone.cancel()


async def whole(request: Request, events: AsyncIterator[str | Reply]) -> Reply:
    """Take an answer in one piece, as long as the caller is there."""
    reply = await while_there(request, _last(events))
    note(request, reply)
    return reply


async def streamed(
    request: Request,
    events: AsyncIterator[str | Reply],
    spell: Callable[[str | Reply], str],
    *,
    media_type: str,
    spell_error: Callable[[EgoError], str],
    head: str = "",
    tail: str = "",
) -> Response:
    """Send an answer piece by piece; what fails before the first piece is an ordinary error.

    Args:
        request: The request.
        events: Pieces, then the reply.
        spell: Writes one event in the protocol.
        media_type: Of the protocol.
        spell_error: Writes an error that comes after the first piece.
        head: Sent first.
        tail: Sent last.
    """
    first = await while_there(request, anext(events))

    async def content() -> AsyncIterator[str]:
        try:
            yield head + spell(first)
            async for event in events:
                if isinstance(event, Reply):
                    note(request, event)
                yield spell(event)
            yield tail
        except EgoError as error:
            yield spell_error(error)
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    return StreamingResponse(content(), media_type=media_type, headers={"Cache-Control": "no-cache"})


async def _last(events: AsyncIterator[str | Reply]) -> Reply:
    replies = [event async for event in events if isinstance(event, Reply)]
    return replies[-1]


async def _left(request: Request) -> None:
    while not await request.is_disconnected():
        await asyncio.sleep(0.2)


async def _stopped(task: "asyncio.Future[Any]") -> NoReturn:
    task.cancel()
    await asyncio.wait({task})
    raise CallerLeftError("the caller has left")
