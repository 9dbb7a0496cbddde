"""A web server that says when it is told to stop, so that streams without an end can end, and nobody waits for them."""

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from ego.errors import ConfigError


def require_free(host: str, port: int) -> None:
    """See that one can listen at an address, before a model is loaded for it.

    Raises:
        ConfigError: If one cannot: something else listens there, it is not of this machine, or the port is guarded.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"nobody can listen on {host}, port {port} ({reason}); stop what listens there, or choose another --port "
            "or --host"
        ) from error


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
