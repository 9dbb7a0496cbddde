"""A web server that says when it is told to stop, so that streams without an end can end, and nobody waits for them."""

from collections.abc import Callable
from types import FrameType

import uvicorn


class Listening(uvicorn.Server):
    """Serves until it is told to stop.

    Args:
        config: As for uvicorn.
        on_exit: Called when it is told to.
    """

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a signal calls this in the thread of the event loop."""
        self._on_exit()
        super().handle_exit(sig, frame)
