"""The gate every request passes: is this web page allowed, whose key is it, and not too often; then the log.

A service without keys is for one user of this machine. Web pages in that user's browser are strangers all the same, so
requests with a foreign `Origin` or `Host` are refused.
"""

import asyncio
import base64
import binascii
import secrets
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ego.errors import EgoError
from ego.server.answers import failure_response, of_the_page
from ego.server.failures import ForbiddenError, NoKeyError
from ego.server.journal import log_request
from ego.server.keys import KeyRing
from ego.server.limits import RateLimit
from ego.server.metrics import Metrics
from ego.server.settings import PAGE_PATH, ServiceSettings

ONLY_USER = "me"  # the owner of a service without keys
SENDING_SECONDS = 60.0  # in which a caller must have sent a whole request
MOST_BRACKETS = 100_000  # of a JSON document: it is read in the thread that serves all, a million take seconds
OPEN_TO_ALL = {"/", "/favicon.ico", "/healthz", "/readyz"}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Gate:
    """ASGI middleware; puts the owner into the request's state."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, metrics: Metrics) -> None:
        """Make it.

        Raises:
            ConfigError: If there is a file of keys that cannot be read.
        """
        self._app, self._settings, self._metrics = app, settings, metrics
        self._keys = None if settings.keys is None else KeyRing(settings.keys)
        if self._keys is not None:
            self._keys.entries()  # what cannot be read is said at the start, not to the first caller
        self._rate = RateLimit(settings.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, request_id, status = time.monotonic(), secrets.token_hex(8), [499]
        state = scope.setdefault("state", {})
        state["request_id"] = request_id

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._enter(scope, _simple(scope, _in_time(receive, SENDING_SECONDS)), noting)
        finally:
            self._note(scope, status[0], time.monotonic() - began)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = Headers(scope=scope)
            self._check_page(headers)
            if scope["path"] not in OPEN_TO_ALL:
                owner = self._owner(headers)
                scope["state"]["owner"] = owner
                if not (scope["method"] == "GET" and of_the_page(scope["path"])):  # a page is made of many files
                    self._rate.take(owner)
        except EgoError as error:
            await failure_response(error, scope["path"])(scope, receive, send)
            return
        _take_for_json(scope, headers)
        await self._app(scope, receive, send)

    def _check_page(self, headers: Headers) -> None:
        host = urlsplit(f"//{headers.get('host', '')}").hostname if _sane(headers.get("host", "")) else None
        if self._keys is None and self._settings.is_private and host not in _LOOPBACK:
            raise ForbiddenError("the Host of the request is not this machine; call 127.0.0.1 or localhost")
        origin = headers.get("origin")
        if origin is None or origin in self._settings.origins or origin.split("://")[-1] == headers.get("host"):
            return
        raise ForbiddenError("this web page may not call the service; allow it with --allow-origin")

    def _owner(self, headers: Headers) -> str:
        if self._keys is None:
            return ONLY_USER
        key = _given_key(headers)
        owner = self._keys.owner_of(key) if key else None
        if owner is None:
            raise NoKeyError(
                "give a valid key: header 'Authorization: Bearer KEY', 'X-Api-Key: KEY', or user:KEY@ in the URL"
            )
        return owner

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        mounted = next((path for path in ("/mcp", PAGE_PATH) if scope["path"].startswith(path)), "other")
        route = getattr(scope.get("route"), "path", None) or mounted
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        log_request(
            id=scope["state"]["request_id"],
            method=scope["method"] if scope["method"].isalpha() else "other",
            route=route,
            status=status,
            seconds=round(seconds, 3),
            **scope["state"].get("noted", {}),
        )


def _in_time(receive: Receive, seconds: float) -> Receive:
    """Give up on a caller who does not finish sending; one who has sent everything may wait as long as it takes."""
    until, whole = time.monotonic() + seconds, False

    async def receive_in_time() -> Message:
        nonlocal whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout(until - time.monotonic()):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, f"the request was not sent within {seconds:g} s") from error
        whole = not message.get("more_body", False)
        return message

    return receive_in_time


def _simple(scope: Scope, receive: Receive) -> Receive:
    """Refuse JSON of more lists and objects than a conversation has; forms have limits of their own."""
    if Headers(scope=scope).get("content-type", "").lower().startswith("multipart/"):
        return receive
    brackets = 0

    async def receive_simple() -> Message:
        nonlocal brackets
        message = await receive()
        body = message.get("body", b"")
        brackets += body.count(b"{") + body.count(b"[")
        if brackets > MOST_BRACKETS:
            raise HTTPException(413, f"the request has more than {MOST_BRACKETS:,} brackets; send less at once")
        return message

    return receive_simple


def _given_key(headers: Headers) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":  # a key in a URL, for programs that have no field for one
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return value.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def _sane(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname is not None
    except ValueError:
        return False


def _take_for_json(scope: Scope, headers: Headers) -> None:
    """Take what curl sends to Ollama's paths for JSON: its examples name no content type."""
    if scope["path"].startswith("/api/") and headers.get("content-type") == "application/x-www-form-urlencoded":
        kept = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
        scope["headers"] = [*kept, (b"content-type", b"application/json")]
