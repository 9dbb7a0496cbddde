"""`ego concepts ...` where EGO_SERVER names a running service: the same commands on the concepts it keeps."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from ego.cli.output import Output
from ego.cli.settings import resolve
from ego.errors import InputError, OutputError
from ego.limits import MEMORY_BYTES
from ego.regular_file import open_regular

if TYPE_CHECKING:
    from ego.client.remote import RemoteEgo


def service() -> "RemoteEgo | None":
    """Connect to the service the user named; None if the library of this machine is meant."""
    server = resolve().server
    if server is None:
        return None
    from ego.client.remote import connect

    return connect(server)


def list_there(there: "RemoteEgo", output: Output) -> None:
    """List the concepts."""
    told = [one.described for one in there.memories]
    table = Table("name", "category", "views", "tokens", "model", "created")
    for one in told:
        views, tokens = str(len(one["views"])), str(one["tokens"])
        table.add_row(one["name"], one["category"], views, tokens, one["model"], one["created"][:10])
    output.result(told, table)


def show_there(there: "RemoteEgo", name: str, output: Output) -> None:
    """Show a concept."""
    told = there.show(name).described
    table = Table(show_header=False, title=told["name"], title_justify="left")
    for label in ("category", "notes", "tokens", "model", "created"):
        table.add_row(label, str(told[label]))
    for number, view in enumerate(told["views"]):
        table.add_row(f"view {number}", f"{len(view['kept'])} of {view['candidates']} tokens: {view['size_rule']}")
        table.add_row(f"  by {view['description_by']}", view["description"] or "without words")
    output.result(told, table)


def remove_there(there: "RemoteEgo", names: Sequence[str], output: Output, *, yes: bool) -> None:
    """Forget concepts, after asking if somebody can be asked; all must be known before the first one goes."""
    known = [there.show(name).name for name in names]
    if output.can_ask and not yes and not output.confirmed(f"Forget {', '.join(known)} for good?"):
        output.result({"removed": []}, "Nothing was removed.")
        return
    for name in known:
        there.forget(name)
    output.result({"removed": known}, f"Forgotten: {', '.join(known)}.")


def export_there(there: "RemoteEgo", name: str, file: Path, output: Output, *, replace: bool) -> None:
    """Write one concept to a file."""
    from ego.atomic_file import write_new

    try:
        write_new(file, there.export(name), replace=replace)
    except OSError as error:
        raise OutputError(f"{file} cannot be written ({error.strerror or error}); choose another place") from error
    output.result({"exported": name, "file": str(file)}, f"Wrote {file}.")


def import_there(there: "RemoteEgo", file: Path, name: str | None, output: Output, *, replace: bool) -> None:
    """Take a concept from a file."""
    with open_regular(file, largest=MEMORY_BYTES, refuse=InputError) as opened:
        content = opened.read()
    made = there.import_file(content, name, replace=replace)
    output.result(made.described, f"{made.name} is remembered.")
