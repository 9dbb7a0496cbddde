"""What a command says: the result on stdout (for people, or one JSON document), everything else on stderr."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType

from ego.errors import EgoError


class Output:
    """The two channels of one command.

    Names and answers are shown as they are: no markup, no emoji codes, no highlighting.

    Args:
        as_json: Whether stdout is for a program.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._people = _console(stderr=False)
        self._aside = _console(stderr=True)
        logging.basicConfig(level=logging.WARNING, format="note: %(message)s", stream=sys.stderr)

    def result(self, document: Any, *for_people: RenderableType) -> None:
        """Print the outcome: the document under --json, else what is meant for people."""
        if self.as_json:
            print(json.dumps(document), flush=True)
        else:
            self.people(*for_people)

    def people(self, *parts: RenderableType) -> None:
        """Show something to people, on the way to the result or as the result; nothing under --json."""
        for part in () if self.as_json else parts:
            self._people.print(part, soft_wrap=isinstance(part, str))

    def tell(self, text: str) -> None:
        """Say a line on the way to the result."""
        (self._aside if self.as_json else self._people).print(text, soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something beside the result."""
        self._aside.print(f"note: {text}", style="dim", soft_wrap=True)

    def warn(self, error: EgoError) -> None:
        """Say that a part of the work failed while the rest goes on."""
        self._aside.print(f"error: {error}", style="red", soft_wrap=True)

    @contextmanager
    def streaming(self, text: str) -> Iterator[Callable[[str], None] | None]:
        """Show that something takes a while until the answer begins, and print it piece by piece.

        Gives None where one JSON document is wanted.
        """
        with self._aside.status(text) as status:

            def write(piece: str) -> None:
                status.stop()
                sys.stdout.write(piece)
                sys.stdout.flush()

            yield None if self.as_json else write

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show on stderr that something takes a while (only on a terminal)."""
        with self._aside.status(text):
            yield

    def ask_line(self, prompt: str) -> str | None:
        """Read a line from stdin; None at its end. The prompt shows on a terminal only."""
        try:
            if sys.stdin.isatty():
                return self._aside.input(prompt)
            return input()
        except EOFError:
            return None


def report_error(error: EgoError, *, as_json: bool) -> None:
    """Say what went wrong: on stderr, and as a JSON document on stdout under --json."""
    _console(stderr=True).print(f"error: {error}", style="red", soft_wrap=True)
    if as_json:
        kind = type(error).__name__
        print(json.dumps({"error": {"kind": kind, "message": str(error), "exit_code": error.exit_code}}))


def _console(*, stderr: bool) -> Console:
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)
