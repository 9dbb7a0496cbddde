"""`ego config show`: what settings hold, and where each comes from. No model is loaded."""

import os
from typing import Annotated, Any

import typer
from rich.table import Table

from ego.cli.options import DeviceOption, JsonOption, LibraryOption, ModelOption
from ego.cli.output import Output
from ego.cli.settings import config_file, resolve

app = typer.Typer(name="config", help="Show the settings.", no_args_is_help=True)
DEFAULT = "default"
_VARIABLES = {"model": "EGO_MODEL", "library": "EGO_LIBRARY", "device": "EGO_DEVICE"}


@app.command()
def show(
    *,
    changed: Annotated[bool, typer.Option("--changed", help="Only what is not the default.")] = False,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every setting and where it comes from: an option, the environment, config.toml, or the default."""
    output, settings = Output(as_json=as_json), resolve(model, library, device)
    file, by_file = config_file(), settings.from_file
    config = settings.config()
    told: dict[str, tuple[Any, str]] = {
        "model": (settings.model, _source("model", model, by_file)),
        "library": (str(settings.library), _source("library", library, by_file)),
        "device": (settings.device or "cuda if there is one, else cpu", _source("device", device, by_file)),
        "server": (settings.server or "none", "EGO_SERVER" if os.environ.get("EGO_SERVER") else _of(by_file, "server")),
    }
    for field in type(config).model_fields:
        told[f"method.{field}"] = getattr(config, field), str(file) if field in settings.method else DEFAULT
    if changed:
        told = {name: one for name, one in told.items() if one[1] != DEFAULT}
    table = Table("setting", "value", "comes from", title=_title(file.is_file()), title_justify="left")
    for name, (value, source) in told.items():
        table.add_row(name, _spelled(value), source)
    documents = {name: {"value": value, "source": source} for name, (value, source) in told.items()}
    output.result({"file": str(file), "exists": file.is_file(), "settings": documents}, table)


def _title(exists: bool) -> str:
    return f"config.toml: {config_file()}{'' if exists else ' (not there)'}"


def _source(name: str, given: object, by_file: frozenset[str]) -> str:
    """Say where one of the settings with an option comes from; the option's value may be that of its variable."""
    if given is None or given == "":
        return _of(by_file, name)
    variable = _VARIABLES[name]
    return variable if os.environ.get(variable) == str(given) else f"--{name}"


def _of(by_file: frozenset[str], name: str) -> str:
    return str(config_file()) if name in by_file else DEFAULT


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "chosen for the model" if value is None else str(value)
