"""`ego library`: the whole library as one file, to keep, to move or to pass on. No model is loaded."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ego.cli.opening import open_store
from ego.cli.options import JsonOption, LibraryOption
from ego.cli.output import Output
from ego.cli.settings import Settings, resolve
from ego.errors import InputError

app = typer.Typer(name="library", help="Export and import the whole library.", no_args_is_help=True)


@app.command("export")
def export_all(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write it, for example things.zip.", show_default=False)
    ],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite the file.")] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write all concepts, corrections and thresholds to one file (a zip of `.ego` files)."""
    from ego.library.archive import export_library

    output, settings = Output(as_json=as_json), _here(resolve(library=library))
    with output.working("exporting"):
        count = export_library(open_store(settings), file, replace=replace)
    output.result({"exported": count, "file": str(file)}, f"{count} concepts are in {file}.")


@app.command("import")
def import_all(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that `ego library export` wrote.", show_default=False)
    ],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put its concepts in the place of others of the same names.")
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take everything from such a file into the library.

    Names that the library has for other concepts are refused before anything is changed. What was cut off goes on when
    the same command runs again.
    """
    from ego.library.archive import import_library

    output, settings = Output(as_json=as_json), _here(resolve(library=library))
    with output.working("importing"):
        done = import_library(open_store(settings, may_be_new=True), file, replace=replace)
    told = f"{len(done.added)} concepts added, {len(done.replaced)} replaced, {len(done.same)} were there already."
    output.result(asdict(done), told)


def _here(settings: Settings) -> Settings:
    """Refuse to take the library of this machine where the user named a service.

    Raises:
        InputError: If they did.
    """
    if settings.server is not None:
        raise InputError(
            f"this is for a library of this machine, and EGO_SERVER names the service at {settings.server}; unset it, "
            "or export its concepts one by one with `ego concepts export`"
        )
    return settings
