"""Names on the hub without a network: one clear answer, at once."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ego.backbones import load_backbone
from ego.backbones.hub import hub_options
from ego.errors import BackboneError


def use(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ego.backbones.hub.constants.ENDPOINT", endpoint)
    monkeypatch.setattr("ego.backbones.hub.constants.HF_HUB_OFFLINE", False)


def test_without_a_network_only_what_was_downloaded_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        use(f"http://127.0.0.1:{closed.getsockname()[1]}", monkeypatch)
        assert hub_options("some/model", "v1") == {
            "revision": "v1",
            "trust_remote_code": False,
            "local_files_only": True,
        }
        with pytest.raises(BackboneError, match="hub cannot be reached"):
            load_backbone("nobody/nothing")


def test_a_hub_that_answers_anything_is_asked_and_a_folder_asks_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        use(f"http://127.0.0.1:{server.server_port}", monkeypatch)
        assert hub_options("some/model", None)["local_files_only"] is False
        assert len(asked) == 1
        assert hub_options(str(tmp_path), None)["local_files_only"] is False
        assert len(asked) == 1
    finally:
        server.shutdown()
        server.server_close()
