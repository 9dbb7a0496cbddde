"""Run the command `ego` inside the test's process: the real `main`, the real arguments, the real streams."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ego.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed; fails if there is anything else on stdout."""
        return json.loads(self.out)

    @property
    def documents(self) -> list[Any]:
        """What `--json` printed, a document a line; fails if there is anything else on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Done]


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Give a function that runs `ego` with the given arguments and input."""

    def run(*arguments: object, given: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        capsys.readouterr()
        code = exit_code(*map(str, arguments))
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


def exit_code(*arguments: str) -> int:
    """Run `ego` with the given arguments and return how it ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ego", *arguments])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0
