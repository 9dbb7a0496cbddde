"""Requests of those who mean no good: every one gets a clear refusal, none breaks the service, none holds up others."""

import base64
import gc
import io
import json
import os
import socket
import time
import zlib
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from PIL import Image

from ego.backbones.base import Backbone
from tests.server.running import BO, SCENE, Running, data_url, introduce, running

pytestmark = pytest.mark.thorough

CHAT = "/v1/chat/completions"
EXAMPLES = int(os.environ.get("EGO_FUZZ_EXAMPLES", "2"))  # for each operation; `make fuzz` takes more


def test_no_request_made_from_the_description_breaks_the_service(served: Running) -> None:
    description = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    operations = [found.ok() for found in description.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def call(case: schemathesis.Case) -> None:
            assert case.call(timeout=60).status_code < 500, case.as_curl_command()

        call()


def png(width: int, height: int, text: bytes = b"") -> bytes:
    """A picture that is small as a file and large in memory, by its pixels or by a compressed text."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress(bytes(width + 1) * min(height, 64))
    words = chunk(b"zTXt", b"Comment\x00\x00" + text) if text else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + words + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


PICTURES = {
    "empty": b"",
    "text": b"<html>no picture</html>",
    "truncated": SCENE.read_bytes()[:2000],
    "bomb": png(30_000, 30_000),
    "wide": png(60_000, 9),
    "truncated bomb": png(9_000, 9_000),
    "script in a picture": b"GIF89a/*" + b"\x00" * 40 + b"*/=1;alert(1)",
    "archive": b"PK\x03\x04" + b"\x00" * 200,
    "clip of nothing": b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 200,
    "play list": b"#EXTM3U\nhttp://127.0.0.1/secret.ts\n",
    "bomb of text": png(8, 8, zlib.compress(bytes(200 * 2**20))),
    "page before a picture": b"<script>alert(1)</script>" + SCENE.read_bytes(),
    "many names of one picture": b"\x89PNG\r\n\x1a\n\xff\xd8\xff\xe0GIF89aRIFF" + bytes(64),
    "drawing with an address": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1/"/></svg>',
}


@pytest.mark.parametrize("what", PICTURES)
def test_pictures_that_are_none(served: Running, what: str) -> None:
    with served.client() as client:
        for path, field in (("/v1/recognize", "image"), ("/v1/caption", "image"), ("/v1/concepts", "images")):
            refused = client.post(path, files={field: ("../../x.jpg", PICTURES[what])}, data={"name": "X"})
            assert refused.status_code in (400, 413, 422), (path, refused.text)
            assert "error" in refused.json()
        assert [one["name"] for one in client.get("/v1/concepts").json()["data"]] == ["Bo"]


def test_a_polyglot_is_read_as_the_picture_it_is(served: Running) -> None:
    content = io.BytesIO()
    Image.open(SCENE).save(content, "PNG")
    with served.client() as client:
        archive = content.getvalue() + b"PK\x03\x04" + b"\x00" * 64
        both = client.post("/v1/recognize", files={"image": ("x.zip", archive)})
        assert both.json()["data"][0]["name"] == "Bo"


NAMES = [
    *("../../etc/passwd", "..\\..\\x", "/etc/passwd", "con", "a" * 65, "\x00", "Bo\nMia", "\u202eoB"),
    *("%2e%2e%2f", "\ud800"),
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_are_never_paths(served: Running, name: str) -> None:
    with served.client() as client:
        made = client.post("/v1/concepts/Bo/views", files={"images": b"no"})
        assert made.status_code == 400
        body = json.dumps({"name": name})
        renamed = client.patch("/v1/concepts/Bo", content=body, headers={"content-type": "application/json"})
        assert renamed.status_code in (200, 400, 422)
        if renamed.status_code == 200:
            place = f"/v1/concepts/{renamed.json()['id']}"
            assert client.get(place).json()["name"] == name
            assert client.patch(place, json={"name": "Bo"}).status_code == 200
    files = {path.name for path in Path(served.service.settings.library).rglob("*")}
    assert all(file.endswith((".ego", ".lock")) or file.startswith(".") for file in files)


QUESTION = b'"messages": [{"role": "user", "content": "x"}]}'
BODIES = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "cut": b'{"model": "mini", "messages": [',
    "nan": b'{"model": "mini", "temperature": NaN, "messages": [{"role": "user", "content": "x"}]}',
    "huge number": b'{"model": "mini", "max_tokens": 1' + b"0" * 400 + b", " + QUESTION,
    "lone surrogate": b'{"model": "mini\\ud800", "messages": [{"role": "user", "content": "\\udfff"}]}',
    "not utf-8": b'{"model": "mini", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "wrong types": b'{"model": 1, "messages": {"a": []}}',
    "twice": b'{"model": "mini", "model": "other", "messages": [{"role": "user", "content": "x"}]}',
    "long word": b'{"model": "mini", "messages": [{"role": "user", "content": "' + b"a" * 400_000 + b'"}]}',
    "stop": b'{"model": "mini", "stop": ["\\ud800", ""], "max_tokens": 2, ' + QUESTION,
}


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("path", [CHAT, "/v1/responses", "/api/chat", "/api/generate"])
def test_bodies_that_are_none(served: Running, path: str, what: str) -> None:
    with served.client() as client:
        answer = client.post(path, content=BODIES[what], headers={"content-type": "application/json"})
        assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("body", [b'{"model": "mini", "x": [' + b"[]," * 200_000, QUESTION + b'{"a":' * 200_000])
@pytest.mark.parametrize("path", [CHAT, "/api/chat", "/mcp/"])
def test_a_document_of_countless_pieces_is_not_read(served: Running, path: str, body: bytes) -> None:
    with served.client() as client:
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, "brackets" in answer.text) == (413, True)


BLACK = "data:image/png;base64," + base64.b64encode(png(64, 64)).decode()
SEVENTEEN = {
    CHAT: {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": BLACK}] * 17}]},
    "/v1/responses": {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": BLACK}]}] * 17},
    "/api/chat": {"messages": [{"role": "user", "content": "x", "images": [BLACK] * 9}] * 2},
    "/api/generate": {"prompt": "x", "images": [BLACK] * 17},
}


@pytest.mark.parametrize("path", SEVENTEEN)
def test_too_many_pictures_are_not_decoded(served: Running, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    monkeypatch.setattr(served.service.pictures.held, "take", lambda pictures: decoded.append(len(pictures)))
    with served.client() as client:
        answer = client.post(path, json={"model": "mini", **SEVENTEEN[path]})
        assert (answer.status_code, "at most 16" in answer.text, decoded) == (413, True, [])


def test_pictures_that_requests_hold_are_bounded_and_let_go(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    held = served.service.pictures.held
    with served.client() as client:
        assert client.post("/v1/recognize", files={"image": SCENE.read_bytes()}).status_code == 200
        until = time.monotonic() + 30
        while held.number and time.monotonic() < until:  # the answer is sent before its threads have let go
            gc.collect()
            time.sleep(0.05)
        assert held.number == 0
        monkeypatch.setattr("ego.server.pictures._HELD_PIXELS", 1000)
        full = client.post("/v1/recognize", files={"image": SCENE.read_bytes()})
        assert (full.status_code, full.headers["retry-after"]) == (429, "1")


@pytest.mark.parametrize(
    ("path", "more", "word"),
    [
        (CHAT, {"content": b"{}", "headers": {"content-type": "text/plain"}}, "Content-Type: application/json"),
        (
            CHAT,
            {"json": {"model": "mini", "messages": [{"role": "user", "content": [{"type": "audio"}]}]}},
            "image_url",
        ),
        (CHAT, {"json": {"model": "mini", "messages": [], "stop": ["a"] * 17}}, "at most 16"),
        ("/v1/responses", {"json": {"model": "mini", "input": [{"type": "function_call_output"}]}}, "role"),
        ("/v1/recognize", {"data": {"image": "photo.jpg"}}, "@photo.jpg"),
    ],
)
def test_what_is_wrong_is_said_of_what_was_meant(served: Running, path: str, more: dict[str, Any], word: str) -> None:
    with served.client() as client:
        refused = client.post(path, **more)
        assert (refused.status_code, word in refused.text) == (422, True), refused.text


def test_headers_that_are_none(served: Running) -> None:
    lines = [
        "X-Ego-Concepts: %ff%fe%00",
        "Host: ",
        "Host: [::1",
        "Authorization: Basic ////",
        "Content-Length: 99999999999999999999",
        "Content-Type: multipart/form-data",
        "Content-Type: application/json; charset=nonsense",
        "Origin: null",
        "Transfer-Encoding: chunked, nonsense",
        "X-Long: " + "a" * 100_000,
    ]
    port = int(served.url.rsplit(":", 1)[1])
    for line in lines:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            host = "" if line.startswith("Host") else "Host: 127.0.0.1\r\n"
            connection.sendall(f"POST {CHAT} HTTP/1.1\r\n{host}{line}\r\nConnection: close\r\n\r\n".encode("latin-1"))
            status = connection.recv(64)
            assert status == b"" or status.split()[1].startswith(b"4"), (line[:40], status)


def test_slow_callers_hold_nobody_up(served: Running) -> None:
    port = int(served.url.rsplit(":", 1)[1])
    slow = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(50)]
    try:
        for number, connection in enumerate(slow):
            half = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            connection.sendall(half if number % 2 else half + b"Content-Length: 1000\r\n\r\n{")
        with served.client() as client:
            body = {"model": "mini", "messages": [{"role": "user", "content": "Who is Bo?"}], "max_tokens": 2}
            assert client.post(CHAT, json=body).status_code == 200
    finally:
        for connection in slow:
            connection.close()


def test_a_request_that_is_never_finished_ends(mini: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ego.server.gate.SENDING_SECONDS", 1.0)
    with running(mini, tmp_path) as served:
        port = int(served.url.rsplit(":", 1)[1])
        for path, kind in ((CHAT, "application/json"), ("/v1/recognize", "multipart/form-data; boundary=x")):
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\nContent-Type: {kind}\r\n\r\n{{"
            with socket.create_connection(("127.0.0.1", port), timeout=600) as connection:
                connection.sendall(head.encode())
                assert connection.recv(64).split()[1] in (b"400", b"408")


def test_a_caller_who_does_not_listen_holds_nobody_up(served: Running) -> None:
    port = int(served.url.rsplit(":", 1)[1])
    body = json.dumps(
        {"model": "mini", "stream": True, "messages": [{"role": "user", "content": "Who is Bo?"}]}
    ).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        connection.sendall((head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
        with served.client() as client:
            short = {"model": "mini", "messages": [{"role": "user", "content": "Who is Bo?"}], "max_tokens": 2}
            assert client.post(CHAT, json=short).status_code == 200


def test_memories_of_others_models_and_altered_ones(served: Running) -> None:
    golden = Path(__file__).resolve().parents[1] / "golden" / "memory-v1.ego"
    with served.client() as client:
        foreign = client.post("/v1/concepts/import", files={"file": golden.read_bytes()})
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (422, "unusable_memory")
        own = client.get("/v1/concepts/Bo/export").content
        for place in range(0, len(own), len(own) // 16):
            altered = own[:place] + bytes([own[place] ^ 1]) + own[place + 1 :]
            assert client.post("/v1/concepts/import", files={"file": altered}, data={"name": "Y"}).status_code == 422


def test_what_is_said_of_a_bad_request_does_not_repeat_it(served: Running) -> None:
    secret = "secret-" + "z" * 50
    with served.client() as client:
        refused = client.post(CHAT, json={"model": "mini", "messages": [{"role": secret, "content": data_url(BO)}]})
        assert refused.status_code == 422
        assert secret not in refused.text
        assert len(refused.text) < 1000
        assert introduce(client, "Bo").status_code == 409


def test_the_service_is_still_there(served: Running) -> None:
    with served.client() as client:
        assert client.get("/readyz").json()["status"] == "ready"
        assert isinstance(client.post("/v1/recognize", files={"image": SCENE.read_bytes()}).json()["data"], list)
        assert httpx2.get(f"{served.url}/healthz").json() == {"status": "ok"}
