"""Somebody at a terminal: a question of a command is answered as a person would."""

import os
import pty
import select
import subprocess
import sys
import time

PATIENCE = 300.0  # seconds; importing torch on a busy machine takes its time


def answered(*arguments: str, answer: str) -> str:
    """Run `ego` with a terminal on all three streams, answer its question, and give what the screen showed."""
    screen, terminal = pty.openpty()
    code = "from ego.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    try:
        shown = _until(screen, b"[y/N]")
        os.write(screen, f"{answer}\n".encode())
        assert process.wait(timeout=PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(screen)
    return shown.decode(errors="replace")


def _until(screen: int, text: bytes) -> bytes:
    seen, end = b"", time.monotonic() + PATIENCE
    while text not in seen:
        ready, _, _ = select.select([screen], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"{text!r} never appeared; the screen shows {seen!r}"
        seen += os.read(screen, 4096)
    return seen
