"""The page inside the service: every owner has one of their own, built when it is opened for the first time."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ego.server.service import Service
from ego.web.desk import Desk
from ego.web.page import end_streams, page_app

T = TypeVar("T")


class OwnersPages:
    """ASGI application; the gate has put the owner into the request's state.

    Args:
        service: Whose model and libraries the pages use; their work waits in its queue.
        folder: For what is dropped and shown.
        root: Path under which the pages stand.
    """

    def __init__(self, service: Service, folder: Path, root: str) -> None:
        self._service, self._folder, self._root = service, folder, root
        self._pages: dict[str, FastAPI] = {}
        self._opening, self._open = asyncio.Lock(), AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the owner's page."""
        if scope["type"] != "http":  # the page needs no other connection, and the gate looks at requests only
            await WebSocketClose()(scope, receive, send)
            return
        page = await self._of(scope["state"]["owner"])
        await page(scope, receive, send)

    def stop(self) -> None:
        """End the streams by which open pages wait for news."""
        for page in self._pages.values():
            end_streams(page)

    async def close(self) -> None:
        """Let go of all pages."""
        await self._open.aclose()

    async def _of(self, owner: str) -> FastAPI:
        async with self._opening:
            if owner not in self._pages:
                page = await asyncio.to_thread(self._built, owner)
                await self._open.enter_async_context(page.router.lifespan_context(page))
                self._pages[owner] = page
            return self._pages[owner]

    def _built(self, owner: str) -> FastAPI:
        desk = Desk(
            self._service.keeping(owner, thumbnails=True),
            self._folder,
            turn=partial(_in_turn, self._service, owner),
            require_room=partial(self._service.require_room, owner),
        )
        alone = self._service.settings.keys is None
        return page_app(desk, album=alone, root=self._root)  # folders of the machine are its own user's business


def _in_turn(service: Service, owner: str, work: Callable[[], T], /) -> T:
    """Wait for the model as every other request of the owner does."""
    return asyncio.run(service.model.run(owner, lambda _ticket: work()))
