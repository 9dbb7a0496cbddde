"""`ego serve` and `ego keys`: answer OpenAI's, Ollama's and MCP's clients, and say who may call."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from platformdirs import user_config_path
from rich.table import Table

from ego.cli.opening import open_backbone, require_folder
from ego.cli.options import DeviceOption, JsonOption, LibraryOption, ModelOption
from ego.cli.output import Output
from ego.cli.settings import resolve
from ego.cli.web import require_gradio
from ego.errors import ConfigError, UnknownConceptError

if TYPE_CHECKING:
    from ego.server.app import Pages
    from ego.server.keys import KeyRing
    from ego.server.service import Service
    from ego.server.settings import ServiceSettings

_WHO = "Who may call"
_HOW_MUCH = "How much is taken on"
DEFAULT_PORT = 8321

keys_app = typer.Typer(name="keys", help="Make, list and take away keys of the service.", no_args_is_help=True)

KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        envvar="EGO_KEYS",
        metavar="FILE",
        help="Keys and their owners (`ego keys add NAME`); every owner has concepts of their own.",
        rich_help_panel=_WHO,
        show_default="none: one user, this machine only",
    ),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--keys", envvar="EGO_KEYS", metavar="FILE", help="The file.", show_default="keys.jsonl beside config.toml"
    ),
]


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.", rich_help_panel=_WHO)] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on.", rich_help_panel=_WHO)
    ] = DEFAULT_PORT,
    keys: KeysOption = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="A web page that may call from a browser; repeatable.", rich_help_panel=_WHO),
    ] = None,
    image_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A host that images may be fetched from; repeatable. Without it only data URLs are read.",
            rich_help_panel=_WHO,
        ),
    ] = None,
    queue: Annotated[int, typer.Option(min=1, help="Most requests that wait.", rich_help_panel=_HOW_MUCH)] = 64,
    batch: Annotated[int, typer.Option(min=1, help="Most requests answered together.", rich_help_panel=_HOW_MUCH)] = 8,
    timeout: Annotated[float, typer.Option(help="Seconds a request may take.", rich_help_panel=_HOW_MUCH)] = 120.0,
    requests_per_minute: Annotated[
        int, typer.Option(min=1, help="Requests of one owner.", rich_help_panel=_HOW_MUCH)
    ] = 600,
    answer_tokens: Annotated[
        int, typer.Option(min=1, help="Longest answer, in tokens.", rich_help_panel=_HOW_MUCH)
    ] = 1024,
    body_megabytes: Annotated[int, typer.Option(min=1, help="Largest request.", rich_help_panel=_HOW_MUCH)] = 32,
    vllm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A vLLM server with the same model that answers in place of this process; repeatable for replicas.",
            rich_help_panel="Engine",
        ),
    ] = None,
    llama: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The same model as a GGUF file, with which llama.cpp answers in place of transformers (extra llama).",
            rich_help_panel="Engine",
        ),
    ] = None,
    web: Annotated[
        bool,
        typer.Option("--web", help="Also show the page for people, under /web; a key is asked for as a password."),
    ] = False,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
) -> None:
    """Run the service. Concepts of whoever calls enter every question by themselves.

    SIGTERM and Ctrl-C finish what was taken and then end. Log lines on stderr are JSON.
    """
    output, settings = Output(as_json=False), resolve(model, library, device)
    limits = _limits(
        host=host,
        port=port,
        library=settings.library,
        keys=keys,
        origins=tuple(allow_origin or ()),
        image_hosts=tuple(image_host or ()),
        queue=queue,
        batch=batch,
        timeout=timeout,
        requests_per_minute=requests_per_minute,
        answer_tokens=answer_tokens,
        body_megabytes=body_megabytes,
    )
    limits.require_safe()  # before the model is loaded
    require_folder(settings)
    _require_addresses(vllm or ())
    if keys is not None and not _ring(keys)[0].entries():
        output.note(f"nobody has a key in {keys} yet; make one with `ego keys add NAME --keys {keys}`")
    if web:
        require_gradio()
    from ego.server.app import server
    from ego.server.engines import choose
    from ego.server.engines.llama.context import require
    from ego.server.journal import configure
    from ego.server.listening import require_free
    from ego.server.service import Service

    if llama is not None:
        require(llama)
    require_free(host, port)
    backbone = open_backbone(settings, output)
    service = Service(backbone, choose(backbone, limits, vllm or (), llama), limits, settings.config())
    output.note(f"{service.model_name} answers on http://{host}:{port}; documentation at /docs")
    configure()
    with _pages(service, output) if web else nullcontext() as pages:
        running = server(service, pages)
        running.run()
    sys.exit(0 if running.started else ConfigError.exit_code)


@contextmanager
def _pages(service: "Service", output: Output) -> "Iterator[Pages]":
    """Make the page for people, with a folder that goes with it."""
    from ego.server.settings import PAGE_PATH
    from ego.web.folder import folder_of_the_page

    with folder_of_the_page() as folder:
        from ego.web.owners import OwnersPages

        output.note(f"the page for people is at {PAGE_PATH}/")
        yield OwnersPages(service, folder, PAGE_PATH)


def _limits(**fields: Any) -> "ServiceSettings":
    _require_extra()
    from pydantic import ValidationError

    from ego.server.settings import ServiceSettings

    try:
        return ServiceSettings(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{first['loc'][0]} = {first['input']!r} of the service: {first['msg']}") from error


def _require_addresses(urls: Sequence[str]) -> None:
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"--vllm {url!r} is no address of a server; give one such as http://localhost:8000")


def _require_extra() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("fastapi", "uvicorn", "prometheus_client", "mcp") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"the service needs {', '.join(missing)}; install ego-vlm[server]")


@keys_app.command()
def add(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Whose concepts the key opens.", show_default=False)],
    *,
    keys: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown once; the file holds only its digest."""
    ring, path = _ring(keys)
    key = ring.add(owner)
    Output(as_json=as_json).result(
        {"owner": owner, "key": key, "file": str(path)}, f"Key of {owner}: {key}", f"Serve with --keys {path}"
    )


@keys_app.command("list")
def list_keys(*, keys: KeyFileOption = None, as_json: JsonOption = False) -> None:
    """List whose keys there are."""
    ring, _ = _ring(keys)
    table = Table("owner", "made")
    for entry in ring.entries():
        table.add_row(entry.owner, entry.created)
    documents = [{"owner": entry.owner, "created": entry.created} for entry in ring.entries()]
    Output(as_json=as_json).result(documents, table)


@keys_app.command()
def remove(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Whose keys end.", show_default=False)],
    *,
    keys: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take all keys of an owner away, at once even while the service runs. The concepts stay."""
    ring, path = _ring(keys)
    count = ring.remove(owner)
    if not count:
        raise UnknownConceptError(f"{owner!r} has no key in {path}")
    Output(as_json=as_json).result({"owner": owner, "removed": count}, f"{count} key(s) of {owner} taken away.")


def _ring(path: Path | None) -> "tuple[KeyRing, Path]":
    from ego.server.keys import KeyRing

    place = path or user_config_path("ego") / "keys.jsonl"
    return KeyRing(place), place
