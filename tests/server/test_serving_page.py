"""The page on serving says what is true: its examples run against `ego serve`, a process of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.server.running import PICTURES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8321"
PHOTOS = {"bo-1.jpg": "bo-1.jpg", "bo-2.jpg": "bo-2.jpg", "park.jpg": "scene-01.jpg"}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind} serving\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    for name, file in PHOTOS.items():
        shutil.copy(PICTURES / file, folder / name)
    return folder


@pytest.fixture(scope="module")
def port(home: Path) -> Iterator[int]:
    """`ego serve` as a user starts it, on a free port."""
    log = home / "log"
    with log.open("wb") as stderr:
        environment = os.environ | {"EGO_LIBRARY": str(home / "library"), "XDG_CONFIG_HOME": str(home)}
        command = [sys.executable, "-c", "from ego.cli import main; main()", "serve", "--port", "0"]
        process = subprocess.Popen(command, stderr=stderr, env=environment)
    try:
        yield _port(log, process)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
        assert "Application shutdown complete" in log.read_text()


def _port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    while not (found := re.search(r"running on http://127.0.0.1:(\d+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    return int(found[1])


def test_every_example_of_the_page_runs(home: Path, port: int) -> None:
    here = f"http://127.0.0.1:{port}"
    for block in blocks("sh"):
        for line in block.splitlines():
            assert line.startswith("curl ")
            done = subprocess.run(
                line.replace(ADDRESS, here), shell=True, cwd=home, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert '"Bo"' in done.stdout
    assert len(blocks("python")) >= 2
    for block in blocks("python"):
        program = [sys.executable, "-c", block.replace(ADDRESS, here)]
        done = subprocess.run(program, cwd=home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
    assert httpx2.get(f"{here}/readyz").json()["status"] == "ready"
