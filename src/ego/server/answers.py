"""Errors as the caller's protocol spells them: OpenAI's document, Ollama's line."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ego.errors import EgoError
from ego.server.failures import BusyError, status_of
from ego.server.settings import PAGE_PATH


def failure_response(error: EgoError, path: str) -> Response:
    """Answer with an error of Ego."""
    status, code = status_of(error)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, BusyError) else {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="Ego"' if of_the_page(path) else "Bearer"
    return _response(path, status, printable(str(error)), code, headers)


def of_the_page(path: str) -> bool:
    """Tell the page for people, where a browser asks for the key, from what programs call."""
    return path == PAGE_PATH or path.startswith(f"{PAGE_PATH}/")


def error_document(path: str, message: str, code: str) -> dict[str, Any]:
    """Spell an error: a line for Ollama's clients, a document for all others."""
    if path.startswith("/api/"):
        return {"error": message}
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def printable(text: str) -> str:
    """Make a text safe to be written as UTF-8, whatever a caller put into a name."""
    return text.encode("utf-8", "backslashreplace").decode()


def answer_failures(app: FastAPI) -> None:
    """Let every error leave in the caller's protocol; what the caller sent is not repeated."""

    @app.exception_handler(EgoError)
    async def _ego(request: Request, error: EgoError) -> Response:
        return failure_response(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        return _response(request.url.path, 422, printable(_said_of(error)), "invalid_request", {})

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        return _response(request.url.path, error.status_code, printable(str(error.detail)), "http", headers)


def _said_of(error: RequestValidationError) -> str:
    """Say what is wrong with a request: where a value may be of several kinds, of the one that it nearly is."""
    found = max(error.errors(), key=lambda one: (len(one["loc"]), one["type"] != "string_type"))
    place = ".".join(str(step) for step in found["loc"])
    if place == "body" and found["type"] != "missing":
        return "the body is no JSON object, or not said to be one; send an object with Content-Type: application/json"
    if "UploadFile" in found["msg"]:
        return f"{place}: a file is expected, not words; with curl write -F 'image=@photo.jpg', with the @"
    return f"{place}: {found['msg']}"


def _response(path: str, status: int, message: str, code: str, headers: dict[str, str]) -> Response:
    return JSONResponse(error_document(path, message, code), status, headers=headers)
