"""What a command says: the result on stdout (for people, or one JSON document), everything else on stderr."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from ego.cli.visible import visible
from ego.errors import EgoError

UNBROKEN = 10_000  # columns of a table that goes to a program or a file: no path in it is broken


class Output:
    """The two channels of one command.

    Names and answers are shown as they are: no markup, no emoji codes, no highlighting, and no character of theirs
    commands the terminal.

    Args:
        as_json: Whether stdout is for a program.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._people = _console(stderr=False)
        self._aside = _console(stderr=True)
        _show_log()

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

    def failure(self, kind: str, message: str, exit_code: int) -> None:
        """Say that the command failed: on stderr, and as a JSON document on stdout under --json."""
        self._aside.print(f"error: {message}", style="red", soft_wrap=True)
        if self.as_json:
            print(json.dumps({"error": {"kind": kind, "message": message, "exit_code": exit_code}}), flush=True)

    @property
    def can_ask(self) -> bool:
        """Whether somebody sits there who can be asked."""
        return not self.as_json and all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))

    def confirmed(self, question: str) -> bool:
        """Ask a question; anything but a yes is a no."""
        answer = self.ask_line(f"{question} [y/N] ")
        return answer is not None and answer.strip().casefold() in {"y", "yes"}

    @contextmanager
    def streaming(self, text: str, *, before: str = "") -> Iterator[Callable[[str], None] | None]:
        """Show that something takes a while until the answer begins, and print it piece by piece.

        Gives None where one JSON document is wanted.

        Args:
            text: What is being done.
            before: Printed in front of the first piece.
        """
        waiting = [before]
        with self._aside.status(Text(visible(text))) as status:

            def write(piece: str) -> None:
                status.stop()
                sys.stdout.write(visible((waiting.pop() if waiting else "") + piece))
                sys.stdout.flush()

            yield None if self.as_json else write

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show on stderr that something takes a while (only on a terminal)."""
        with self._aside.status(Text(visible(text))):
            yield

    def ask_line(self, prompt: str) -> str | None:
        """Read a line from stdin; None at its end. The prompt shows on a terminal only."""
        try:
            if sys.stdin is not None and sys.stdin.isatty():
                return self._aside.input(Text(visible(prompt)))
            return None if sys.stdin is None else input()
        except EOFError:
            return None


class _PlainConsole(Console):
    """A console on which text, wherever it stands (lines, cells, titles), is shown and obeyed nowhere."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Make text of a string."""
        return super().render_str(visible(text), **options)


class _PlainFormatter(logging.Formatter):
    """Log lines as notes."""

    def format(self, record: logging.LogRecord) -> str:
        """Spell one record."""
        return visible(super().format(record))


def _show_log() -> None:
    """Show warnings of the library on stderr, once for the process."""
    if not logging.getLogger().handlers:
        # It tells of every retry, twice; what becomes of them is told as an error.
        logging.getLogger("huggingface_hub.utils._http").setLevel(logging.ERROR)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_PlainFormatter("note: %(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[handler])


def _console(*, stderr: bool) -> Console:
    console = _PlainConsole(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = UNBROKEN
    return console
