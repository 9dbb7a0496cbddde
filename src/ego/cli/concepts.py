"""`ego concepts`: look after the library. No model is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ego.cli.completion import concept_names
from ego.cli.elsewhere import export_there, import_there, list_there, remove_there, service, show_there
from ego.cli.introduce import describe_memory, describe_story
from ego.cli.opening import NOTHING_KNOWN, list_library, open_store
from ego.cli.options import JsonOption, LibraryOption
from ego.cli.output import Output
from ego.cli.paths import require_new_folder
from ego.cli.settings import resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.memory_header import MemoryHeader

app = typer.Typer(name="concepts", help="List, show, rename, remove, export and import concepts.", no_args_is_help=True)

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A remembered concept, whatever its case.",
        show_default=False,
        autocompletion=concept_names,
    ),
]


@app.command("list")
def list_concepts(*, library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """List the concepts of the library; files that cannot be used are named on stderr."""
    output = Output(as_json=as_json)
    if there := service():
        list_there(there, output)
        return
    listing = list_library(resolve(library=library))
    for path, reason in sorted(listing.skipped.items()):
        output.note(f"left aside {path.name}: {reason}")
    if not listing.stories:
        output.note(NOTHING_KNOWN)
    table = Table()
    for heading in ("name", "category", "views", "tokens", "model", "created"):
        table.add_column(heading, overflow="fold")
    for story in listing.stories:
        table.add_row(*_row(story))
    output.result([describe_story(story) for story in listing.stories], *([table] if listing.stories else []))


@app.command()
def show(name: NameArgument, *, library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Show a concept: what the model said about each photo, which words counted, how many tokens were kept and why."""
    if there := service():
        show_there(there, name, Output(as_json=as_json))
        return
    memory = open_store(resolve(library=library)).get(name)
    document = describe_memory(memory)
    table = Table(show_header=False, title=memory.name, title_justify="left")
    for label in ("category", "notes", "tokens", "model", "created"):
        table.add_row(label, str(document[label]))
    for number, view in enumerate(memory.views):
        table.add_row(f"view {number}", f"{len(view.kept)} of {view.candidates} tokens: {view.size_rule}")
        table.add_row(f"  by {view.description_by}", view.description or "without words")
        table.add_row("  keywords", " ".join(view.keywords))
        table.add_row("  area", view.area_answer or "not asked")
    Output(as_json=as_json).result(document, table)


@app.command()
def rename(
    name: NameArgument,
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="What to call it now.", show_default=False)],
    *,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a concept another name."""
    if there := service():
        there.rename(name, new_name)
    else:
        open_store(resolve(library=library)).rename(name, new_name)
    Output(as_json=as_json).result({"renamed": name, "to": new_name}, f"{name} is now {new_name}.")


@app.command()
def remove(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Concepts to forget, or files that `ego concepts list` left aside; there is no way back.",
            show_default=False,
            autocompletion=concept_names,
        ),
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget concepts, after asking if somebody can be asked. `ego concepts export` keeps a copy."""
    output = Output(as_json=as_json)
    if there := service():
        remove_there(there, names, output, yes=yes)
        return
    store = open_store(resolve(library=library))
    known = store.removable(*names)
    if output.can_ask and not yes and not output.confirmed(f"Forget {', '.join(known)} for good?"):
        output.result({"removed": []}, "Nothing was removed.")
        return
    removed = store.remove(*names)
    output.result({"removed": removed}, f"Forgotten: {', '.join(removed)}.")


@app.command("remove-view")
def remove_view(
    name: NameArgument,
    view: Annotated[
        int,
        typer.Argument(min=0, metavar="VIEW", help="Its number in `ego concepts show`.", show_default=False),
    ],
    *,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take one reference out of a concept; there is no way back. What you corrected stays."""
    if there := service():
        told = there.remove_view(name, view).described
    else:
        from ego.library.views import remove_view as take_out

        told = describe_memory(take_out(open_store(resolve(library=library)), name, view))
    Output(as_json=as_json).result(told, f"{told['name']} has {len(told['views'])} views now.")


@app.command()
def export(
    name: NameArgument,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Where to write it, for example bo.ego.", show_default=False),
    ],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite the file.")] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one concept to a file that another library can import."""
    if there := service():
        export_there(there, name, file, Output(as_json=as_json), replace=replace)
        return
    open_store(resolve(library=library)).export(name, file, replace=replace)
    Output(as_json=as_json).result({"exported": name, "file": str(file)}, f"Wrote {file}.")


@app.command("import")
def import_concept(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that export wrote.", show_default=False)],
    *,
    name: Annotated[str | None, typer.Option(help="Another name for it.", show_default=False)] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a concept of that name.")] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a concept from a file into the library."""
    if there := service():
        import_there(there, file, name, Output(as_json=as_json), replace=replace)
        return
    store = open_store(resolve(library=library), may_be_new=True)
    memory = store.get(store.import_file(file, name, replace=replace))
    Output(as_json=as_json).result(describe_memory(memory), f"{memory.name} is remembered.")


@app.command()
def pack(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to make the catalogue.", show_default=False)],
    *,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the library into a catalogue, one file for any number of concepts; use it like any library."""
    from ego.library.catalogue import Catalogue

    output, catalogue = Output(as_json=as_json), Catalogue(target)
    with output.working("packing"):
        count = catalogue.add_many(open_store(resolve(library=library)).load_all().memories)
    output.result({"packed": count, "catalogue": str(target)}, f"{count} concepts are in the catalogue {target}.")


@app.command()
def unpack(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the files.", show_default=False)],
    *,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write every concept of a catalogue to a file of its own; the folder is then a library."""
    from ego.library.catalogue import Catalogue

    chosen = resolve(library=library).library
    store = open_store(resolve(library=library))
    if not isinstance(store, Catalogue):
        raise InputError(f"{chosen} is no catalogue: its concepts are files already; `ego concepts pack` makes one")
    require_new_folder(target, option="folder")
    output = Output(as_json=as_json)
    with output.working("unpacking"):
        count = store.export_all(target)
    output.result({"unpacked": count, "folder": str(target)}, f"{count} concepts are in {target}.")


def _row(story: "MemoryHeader") -> tuple[str, ...]:
    told = describe_story(story)
    return story.name, story.category, str(len(story.views)), str(told["tokens"]), told["model"], story.created[:10]
