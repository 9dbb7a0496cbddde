"""A service that really runs: uvicorn in a thread, or a process of its own."""

import base64
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from ego.backbones.base import Backbone
from ego.server.app import server
from ego.server.engines.local import LocalEngine
from ego.server.service import Service
from ego.server.settings import ServiceSettings

PICTURES = Path(__file__).resolve().parents[2] / "src" / "ego" / "demo" / "pictures"
SCENE = PICTURES / "scene-01.jpg"
BO = PICTURES / "bo-1.jpg"


class Running:
    """A service at an address."""

    def __init__(self, url: str, service: Service) -> None:
        self.url, self.service = url, service

    def client(self, key: str = "", **more: Any) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=60, **more)


@contextmanager
def running(backbone: Backbone, library: Path, **settings: Any) -> Iterator[Running]:
    limits = ServiceSettings(library=library, port=0, **settings)
    service = Service(backbone, lambda model: LocalEngine(model, limits.answer_tokens), limits)
    uvicorn = server(service)
    thread = threading.Thread(target=uvicorn.run)
    thread.start()
    while not uvicorn.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = uvicorn.servers[0].sockets[0].getsockname()[1]
    try:
        yield Running(f"http://127.0.0.1:{port}", service)
    finally:
        uvicorn.should_exit = True
        thread.join()


class Served:
    """`ego serve` as a user starts it, in a process of its own and on a free port.

    Args:
        home: Folder that holds the library, the settings and the log.
        options: More options of the command.
    """

    def __init__(self, home: Path, *options: str) -> None:
        self.log = home / "log"
        environment = os.environ | {"EGO_LIBRARY": str(home / "library"), "XDG_CONFIG_HOME": str(home)}
        command = [sys.executable, "-c", "from ego.cli import main; main()", "serve", "--port", "0", *options]
        with self.log.open("wb") as stderr:
            self.process = subprocess.Popen(command, stderr=stderr, env=environment)
        self.url = ""

    def __enter__(self) -> "Served":
        while not (found := re.search(r"running on (http://127.0.0.1:\d+)", self.log.read_text())):
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        self.url = found[1]
        return self

    def __exit__(self, *failure: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) in (0, -signal.SIGTERM)
            assert "Application shutdown complete" in self.log.read_text()

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=600)

    def kill(self) -> None:
        """End it without a warning."""
        self.process.kill()
        self.process.wait()


def data_url(path: Path) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode()


def shown(path: Path, question: str) -> list[dict[str, Any]]:
    parts = [{"type": "image_url", "image_url": {"url": data_url(path)}}, {"type": "text", "text": question}]
    return [{"role": "user", "content": parts}]


def introduce(client: httpx2.Client, name: str, path: Path = BO, **words: str) -> httpx2.Response:
    with path.open("rb") as file:
        return client.post("/v1/concepts", data={"name": name, **words}, files={"images": file})
