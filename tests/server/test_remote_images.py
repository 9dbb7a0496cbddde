"""Images at addresses: fetched from allowed public hosts only, whatever names and redirects say.

Loopback stands for the internet here: 127.0.0.1 is taken for a public address, and a real server at 127.0.0.2 for one
in a private network, which must never hear of a request.
"""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ego.backbones.base import Backbone
from tests.server.running import SCENE, Running, data_url, introduce, running

OUT, INSIDE = "127.0.0.1", "127.0.0.2"
NAMES = {
    "photos.example": [OUT],
    "inside.example": [INSIDE],
    "rebound.example": [OUT, INSIDE],  # one good address does not make up for a bad one
}
CHAT = "/v1/chat/completions"


class Pages(BaseHTTPRequestHandler):
    """Pictures, redirects, and answers that are none; the server remembers what was asked."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        getattr(self, "_" + self.path.strip("/").partition("?")[0].replace("-", "_"), self._missing)()

    def log_message(self, *told: Any) -> None:
        """Say nothing."""

    def _missing(self) -> None:
        self.send_error(404)

    def _picture(self) -> None:
        self._send(200, SCENE.read_bytes())

    def _again(self) -> None:
        self._redirect("/picture")

    def _round(self) -> None:
        self._redirect("/round")

    def _inside(self) -> None:
        port = self.server.inside  # type: ignore[attr-defined]
        self._redirect(f"http://inside.example:{port}/picture")

    def _by_number(self) -> None:
        self._redirect(f"http://{INSIDE}:{self.server.inside}/picture")  # type: ignore[attr-defined]

    def _file(self) -> None:
        self._redirect("file:///etc/passwd")

    def _nowhere(self) -> None:
        self._redirect("")

    def _page(self) -> None:
        self._send(200, b"<html>no picture</html>")

    def _endless(self) -> None:
        self._send(200, bytes(3 * 2**20))

    def _header(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n")

    def _garbage(self) -> None:
        self.wfile.write(b"\x00\xff\r\n\r\n")

    def _cut(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-")

    def _slow(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        self.server.leaving.wait(20)  # type: ignore[attr-defined]

    def _redirect(self, where: str) -> None:
        self._send(302, b"", Location=where)

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(scope="module")
def pages() -> Iterator[tuple[Any, Any]]:
    """The server outside and the one inside."""
    outside, inside = (ThreadingHTTPServer((address, 0), Pages) for address in (OUT, INSIDE))
    for server in (outside, inside):
        server.asked, server.leaving = [], threading.Event()  # type: ignore[attr-defined]
        server.inside = inside.server_address[1]  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever).start()
    yield outside, inside
    for server in (outside, inside):
        server.leaving.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def world() -> Iterator[pytest.MonkeyPatch]:
    """Names that lead where the tests want, and one loopback address that counts as public."""
    real = socket.getaddrinfo

    def find(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        found = NAMES.get(host)
        if found is None:
            return real(host, port, *more, **named)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", find)
        patch.setattr("ego.server.remote.is_public", lambda address: address == OUT)
        patch.setattr("ego.server.remote.SECONDS", 2.0)
        yield patch


@pytest.fixture(scope="module")
def served(mini: Backbone, world: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    hosts = (*NAMES, INSIDE)
    with running(mini, tmp_path_factory.mktemp("remote"), image_hosts=hosts, body_megabytes=2) as service:
        with service.client() as client:
            assert introduce(client, "Bo").status_code == 201
        yield service


def ask(client: httpx2.Client, url: str) -> httpx2.Response:
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Is Bo in this image?"}]
    return client.post(CHAT, json={"model": "mini", "messages": [{"role": "user", "content": parts}], "max_tokens": 4})


@pytest.mark.parametrize("path", ["picture", "again"])
def test_an_allowed_host_is_asked(served: Running, pages: tuple[Any, Any], path: str) -> None:
    with served.client() as client:
        fetched = ask(client, f"http://photos.example:{pages[0].server_address[1]}/{path}?size=1")
        assert fetched.status_code == 200, fetched.text
        sent = ask(client, data_url(SCENE)).json()
        assert fetched.json()["choices"] == sent["choices"]
        assert fetched.json()["usage"] == sent["usage"]


@pytest.mark.parametrize("path", ["inside", "by-number", "file"])
def test_a_redirect_leads_to_no_private_address(served: Running, pages: tuple[Any, Any], path: str) -> None:
    outside, inside = pages
    with served.client() as client:
        refused = ask(client, f"http://photos.example:{outside.server_address[1]}/{path}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert f"/{path}" in outside.asked
    assert inside.asked == []


@pytest.mark.parametrize("host", ["inside.example", "rebound.example", INSIDE])
def test_a_name_of_a_private_address_is_not_asked(served: Running, pages: tuple[Any, Any], host: str) -> None:
    outside, inside = pages
    before = len(outside.asked)
    with served.client() as client:
        assert ask(client, f"http://{host}:{inside.server_address[1]}/picture").status_code == 403
    assert (inside.asked, len(outside.asked)) == ([], before)


def test_a_host_that_nobody_allowed_is_not_looked_up(served: Running, world: pytest.MonkeyPatch) -> None:
    find, looked_up = socket.getaddrinfo, set()

    def noticed(host: Any, *more: Any, **named: Any) -> Any:
        looked_up.add(host)
        return find(host, *more, **named)

    with world.context() as patch, served.client() as client:
        patch.setattr(socket, "getaddrinfo", noticed)
        for url in ("http://other.example/x", "http://photos.example.evil.example/x", "http://evil@photos.example/x"):
            assert ask(client, url).status_code == 403
    assert looked_up <= {OUT}  # where the service itself listens


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("round", 400), ("nowhere", 400), ("page", 400), ("missing", 400), ("header", 400), ("garbage", 400)),
        *(("cut", 400), ("slow", 400), ("endless", 413)),
    ],
)
def test_answers_that_are_no_picture(served: Running, pages: tuple[Any, Any], path: str, status: int) -> None:
    with served.client() as client:
        refused = ask(client, f"http://photos.example:{pages[0].server_address[1]}/{path}")
        assert refused.status_code == status, refused.text
        assert refused.json()["error"]["message"]


def test_nobody_listens(served: Running) -> None:
    with socket.socket() as free:
        free.bind((OUT, 0))
        port = free.getsockname()[1]
    with served.client() as client:
        assert ask(client, f"http://photos.example:{port}/picture").status_code == 400
        for broken in ("http://photos.example:99999/x", "http://photos.example:port/x", "http://[photos.example/x"):
            assert ask(client, broken).status_code in (400, 403)


def test_the_picture_is_not_kept(served: Running) -> None:
    files = [path for path in Path(served.service.settings.library).rglob("*") if path.is_file()]
    assert SCENE.stat().st_size not in {path.stat().st_size for path in files}
