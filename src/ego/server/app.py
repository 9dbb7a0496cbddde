"""Put the protocols together into one application, and run it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, runtime_checkable

import uvicorn
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

import ego
from ego.server import concepts, health, looking, ollama, openai, responses
from ego.server.answers import answer_failures
from ego.server.gate import Gate
from ego.server.listening import Listening
from ego.server.mcp import McpRoom
from ego.server.service import Service
from ego.server.settings import MEGABYTE, PAGE_PATH

DESCRIPTION = (
    "A vision-language model that knows your things. Introduce concepts from photos, then recognize them, ask about "
    "them and let images be described with their names; OpenAI's and Ollama's clients can be pointed at it."
)
LARGEST_FIELD = MEGABYTE  # of a form; files may be as large as the body
SLOWEST_GOODBYE = 30  # seconds more than a request may take


@runtime_checkable
class Pages(Protocol):
    """The page for people, mounted under `/web`; the owner stands in the request's state."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

    def stop(self) -> None:
        """End streams that would last as long as a browser is open."""

    async def close(self) -> None:
        """Let go of everything."""


def create_app(service: Service, pages: Pages | None = None) -> ASGIApp:
    """Make the application of a service, with a page for people if one is given; closing it finishes what was taken."""
    app = FastAPI(
        title="Ego",
        description=DESCRIPTION,
        version=ego.__version__,
        lifespan=_lifespan,
        max_body_size=service.settings.body_megabytes * MEGABYTE,
        form_limits={"max_files": service.settings.images, "max_fields": 100, "max_part_size": LARGEST_FIELD},
    )
    app.state.service = service
    for room in (openai, responses, ollama, concepts, looking, health):
        app.include_router(room.router)
    answer_failures(app)
    app.state.mcp = McpRoom(service)
    app.mount("/mcp", app.state.mcp.app)
    app.state.pages = pages
    if pages is not None:
        app.mount(PAGE_PATH, pages)
    gate: ASGIApp = Gate(app, service.settings, service.metrics)
    if service.settings.origins:
        gate = CORSMiddleware(gate, allow_origins=service.settings.origins, allow_methods=["*"], allow_headers=["*"])
    return gate


def server(service: Service, pages: Pages | None = None) -> uvicorn.Server:
    """Make the server; `run` blocks until it is told to stop, and then finishes what it took."""
    settings = service.settings
    settings.require_safe()
    config = uvicorn.Config(
        create_app(service, pages),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=round(settings.timeout) + SLOWEST_GOODBYE,
    )
    return Listening(config, on_exit=pages.stop if pages else lambda: None)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    await service.start()
    try:
        async with app.state.mcp.running():
            yield
    finally:
        if app.state.pages is not None:
            await app.state.pages.close()
        await service.close()
