"""What every tab works with: the model with one library, a folder for what is shown, and whose turn it is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any, Protocol, TypeVar

import gradio as gr

from ego.errors import EgoError
from ego.personalizer import Ego

T = TypeVar("T")


class Turn(Protocol):
    """Does a piece of work when the model is free for it, and hands back what came of it."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """Wait, and do it."""


def at_once(work: Callable[[], T], /) -> T:
    """Do it now: the page has the model to itself."""
    return work()


@dataclass(frozen=True)
class Desk:
    """What a tab works with.

    Attributes:
        personal: The model with its library.
        folder: For small pictures and files to be downloaded; it goes when the page does.
        turn: Called with everything that may ask the model.
        require_room: Refuses one thing more than the library may hold.
    """

    personal: Ego
    folder: Path
    turn: Turn = at_once
    require_room: Callable[[], None] = lambda: None

    def handler(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """Let an action wait for its turn, and show an error of Ego as a message on the page."""

        @wraps(act)
        def acted(*values: Any) -> Any:
            with explained():
                return self.turn(lambda: act(*values))

        return acted


class explained:  # noqa: N801 - reads as a word of the `with`
    """Show an error of Ego as a message on the page."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Turn the error into a message."""
        if isinstance(error, EgoError):
            raise message(str(error)) from error


def message(text: str) -> gr.Error:
    """Say something to the user in place of a result; what stands in it is never read as HTML."""
    return gr.Error(escape(text), print_exception=False)
