"""`ego web`: the page, on this machine."""

import ipaddress
import os
from importlib.util import find_spec
from typing import Annotated

import typer

from ego.cli.opening import open_personalizer
from ego.cli.options import DeviceOption, FramesOption, LibraryOption, ModelOption
from ego.cli.output import Output
from ego.cli.settings import resolve
from ego.errors import ConfigError, InputError

DEFAULT_PORT = 8322
GOODBYE = 30  # most seconds that an answer may take after Ctrl-C
_WHO = "Who may open it"


def web(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.", rich_help_panel=_WHO)] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.", rich_help_panel=_WHO)] = DEFAULT_PORT,
    password: Annotated[
        str | None,
        typer.Option(
            envvar="EGO_WEB_PASSWORD",
            help="Ask for this password (user: ego). Needed for any address but this machine's own.",
            rich_help_panel=_WHO,
            show_default="none",
        ),
    ] = None,
    frames: FramesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
) -> None:
    """Open the page: add things, see who is where and why, correct, chat, look through albums."""
    if not _is_own(host) and not password:
        raise InputError(f"{host} can be reached by others; give a --password, or listen on 127.0.0.1")
    require_gradio()
    import uvicorn

    from ego.server.listening import Listening, require_free

    require_free(host, port)
    output = Output(as_json=False)
    personal = open_personalizer(
        resolve(model, library, device), output, may_be_new=True, video_frames=frames, thumbnails=True
    )
    from ego.web.folder import folder_of_the_page

    with folder_of_the_page() as folder:
        from ego.web.desk import Desk
        from ego.web.page import end_streams, page_app

        output.note(f"the page is at http://{host}:{port}; Ctrl-C ends it")
        app = page_app(Desk(personal, folder), password=password)
        config = uvicorn.Config(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=GOODBYE)
        Listening(config, on_exit=lambda: end_streams(app)).run()


def require_gradio() -> None:
    """Refuse to begin without what the page stands on, and keep it from calling home.

    Raises:
        ConfigError: If it is not installed.
    """
    if find_spec("gradio") is None:
        raise ConfigError("the page needs gradio; install it with: pip install 'ego-vlm[web]'")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


def _is_own(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
