"""README and the page on serving say what is true: their examples run against `ego serve`, a process of its own."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.server.running import PICTURES, Served

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs" / "serving.md", ROOT / "README.md"]
ADDRESS = "http://127.0.0.1:8321"
PHOTOS = {"bo-1.jpg": "bo-1.jpg", "bo-2.jpg": "bo-2.jpg", "park.jpg": "scene-01.jpg"}


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"^```{kind} serving\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    for name, file in PHOTOS.items():
        shutil.copy(PICTURES / file, folder / name)
    return folder


@pytest.fixture(scope="module")
def here(home: Path) -> Iterator[str]:
    with Served(home) as served:
        yield served.url


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_of_the_page_runs(home: Path, here: str, page: Path) -> None:
    assert blocks(page, "sh")
    assert blocks(page, "python")
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            assert line.startswith("curl ")
            done = subprocess.run(
                line.replace(ADDRESS, here), shell=True, cwd=home, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert '"Bo"' in done.stdout
    for block in blocks(page, "python"):
        program = [sys.executable, "-c", block.replace(ADDRESS, here)]
        done = subprocess.run(program, cwd=home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
    assert httpx2.get(f"{here}/readyz").json()["status"] == "ready"
