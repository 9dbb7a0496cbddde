"""The page, served by the command itself, in a real browser."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, sync_playwright

PATIENCE = 300.0  # seconds; much for a machine with other work, and only failures take it
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def served(home: Path, command: str, *options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a command that serves, with a library and settings of its own; gives its address and its process."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-c", "from ego.cli import main; main()", command, "--port", str(port), *options]
    told = {"EGO_LIBRARY": str(home / "library"), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home)}
    process = subprocess.Popen(line, env=os.environ | told)
    url = f"http://127.0.0.1:{port}/"
    try:
        _wait(url, process)
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except urllib.error.HTTPError:  # it answers
            return
        except OSError:
            time.sleep(0.5)


@contextmanager
def browser_page(**context: Any) -> Iterator[Page]:
    """Open a browser; what its console says of errors is kept in `errors`."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *CAMERA])
        opened = browser.new_context(viewport={"width": 1200, "height": 900}, **context).new_page()
        opened.set_default_timeout(1000 * PATIENCE / 2)
        opened.errors = []  # type: ignore[attr-defined]
        opened.on(
            "console",
            lambda said: opened.errors.append(f"{said.text} {said.location['url']}") if said.type == "error" else None,
        )  # type: ignore[attr-defined]
        opened.on("pageerror", lambda error: opened.errors.append(str(error)))  # type: ignore[attr-defined]
        yield opened
        browser.close()


def visit(page: Page, address: str) -> None:
    """Open the page anew; that streams of the page that is left end with an error is no fault."""
    kept = list(page.errors)  # type: ignore[attr-defined]
    page.goto(address)
    page.errors[:] = kept  # type: ignore[attr-defined]


def tab(page: Page, name: str) -> None:
    """Open a tab."""
    page.get_by_role("tab", name=name).click()


def words(page: Page, name: str) -> Locator:
    """Find a field for text."""
    return page.locator(f"#{name} input, #{name} textarea").first


def drop(page: Page, name: str, *files: Path) -> None:
    """Put files into a field, and wait until they are there."""
    page.locator(f"#{name} input[type=file]").set_input_files(list(files))
    page.locator(f"#{name}").get_by_text(files[-1].stem).first.wait_for()
