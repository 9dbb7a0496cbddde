"""/mcp: the same verbs as tools for agents, through the official SDK; the key of the request says whose concepts."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeAlias, TypeVar

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import Field
from starlette.types import ASGIApp

import ego
from ego.concept import Concept
from ego.errors import EgoError
from ego.server.answers import printable
from ego.server.concepts import describe, find
from ego.server.conversation import Message, Reply, Wanted
from ego.server.pictures import from_base64
from ego.server.service import Service

T = TypeVar("T")
INSTRUCTIONS = (
    "Concepts are things the user has introduced from photos: a dog, a cup, a person who agreed. Use recognize to find "
    "out which of them are in an image, ask or caption to talk about an image with their names."
)
Told: TypeAlias = Context  # the SDK hands over one of its own choice
ImageText = Annotated[str, Field(description="An image or clip: a data URL, or the bytes of the file in base64.")]
Names = Annotated[list[str] | None, Field(description="Only these concepts; all by default.")]


class McpRoom:
    """The tools of one service, as an application and what must run beside it."""

    def __init__(self, service: Service) -> None:
        server = MCPServer("Ego", instructions=INSTRUCTIONS, version=ego.__version__)
        _Tools(service).add_to(server)
        # The gate has looked at host and origin already.
        open_door = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        self.app: ASGIApp = server.streamable_http_app(
            streamable_http_path="/", json_response=True, stateless_http=True, transport_security=open_door
        )
        self._server = server

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the sessions of the SDK."""
        async with self._server.session_manager.run():
            yield


class _Tools:
    """Each verb as a tool; what it raises is told to the agent in words."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def add_to(self, server: MCPServer[Any]) -> None:
        verbs = (
            *(self.list_concepts, self.introduce, self.recognize, self.ask, self.caption),
            *(self.rename, self.forget, self.remove_view),
        )
        for verb in verbs:
            server.tool()(_in_words(verb))

    async def list_concepts(self, context: Told) -> list[dict[str, Any]]:
        """List the concepts that are remembered."""
        contents = self._service.library(_owner(context)).load_all(self._service.backbone.fingerprint)
        told = [describe(memory) for memory in contents.memories]
        return [{key: one[key] for key in ("name", "category", "notes", "created")} for one in told]

    async def introduce(
        self,
        context: Told,
        name: str,
        images: Annotated[list[str], Field(description="Photos or clips: data URLs, or base64.")],
        category: str = "",
        notes: str = "",
    ) -> dict[str, Any]:
        """Remember a thing from one or a few photos of it."""
        self._service.pictures.require_few(images)
        pictures = [picture for image in images for picture in await self._pictures(image)]
        self._service.pictures.require_few(pictures)
        concept = Concept(name, pictures, category=category, notes=notes)
        made = await self._service.introduce(_owner(context), concept, replace=False, thumbnail=False)
        return {"name": made.name, "descriptions": [view.description for view in made.views]}

    async def recognize(self, context: Told, image: ImageText, names: Names = None) -> list[dict[str, Any]]:
        """Say for every remembered concept whether it is in an image, and how probable that is."""
        pictures = await self._pictures(image)
        wanted = None if names is None else tuple(names)
        return await self._service.recognize(_owner(context), list(pictures), wanted, None)

    async def ask(self, context: Told, question: str, image: ImageText = "", names: Names = None) -> dict[str, Any]:
        """Answer a question about an image, or about the remembered concepts alone."""
        pictures = await self._pictures(image) if image else ()
        message = Message("user", (*pictures, question))
        wanted = Wanted(names=None if names is None else tuple(names))
        events = self._service.replies(_owner(context), [message], wanted)
        reply = [event async for event in events if isinstance(event, Reply)][-1]
        return {"text": reply.text, **reply.concepts}

    async def caption(self, context: Told, image: ImageText, names: Names = None) -> dict[str, Any]:
        """Describe an image in a sentence or a few, with the names of the concepts in it."""
        pictures = await self._pictures(image)
        wanted = None if names is None else tuple(names)
        said = await self._service.caption(_owner(context), list(pictures), wanted)
        return {"text": said["text"], "mentioned": said["mentioned"]}

    async def rename(self, context: Told, name: str, new_name: str) -> str:
        """Give a concept another name."""
        store = self._service.library(_owner(context))
        store.rename(find(store, name).name, new_name)
        return f"{name} is now {new_name}."

    async def forget(self, context: Told, name: str) -> str:
        """Forget a concept for good."""
        store = self._service.library(_owner(context))
        store.remove(find(store, name).name)
        return f"{name} is forgotten."

    async def remove_view(self, context: Told, name: str, view: int) -> str:
        """Take one of its photos out of a concept; the first is 0."""
        owner = _owner(context)
        left = await self._service.remove_view(owner, find(self._service.library(owner), name).name, view)
        return f"{left.name} has {len(left.views)} photos."

    async def _pictures(self, image: str) -> tuple[Any, ...]:
        reader = self._service.pictures
        return await (reader.at(image) if ":" in image[:8] else reader.decode(from_base64(image)))


def _in_words(verb: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Let an agent read what went wrong; the SDK keeps unexpected errors to itself."""

    @functools.wraps(verb)
    async def said(*given: Any, **named: Any) -> T:
        try:
            return await verb(*given, **named)
        except EgoError as error:
            raise ToolError(printable(str(error))) from error

    return said


def _owner(context: Told) -> str:
    """Give the owner whose key the gate saw."""
    request: Any = context.request_context.request
    return str(request.state.owner)
