"""`ego find`: ask the index of a scanned album, and hand its answers on."""

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ego.cli.album import require_extra
from ego.cli.completion import concept_names
from ego.cli.opening import require_library
from ego.cli.options import JsonOption, LibraryOption
from ego.cli.output import Output
from ego.cli.settings import resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.album.find import Match

_OUT = "Hand on"
_WHICH = "Which"


def find(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Concepts that are all in the picture.",
            show_default="any concept",
            autocompletion=concept_names,
        ),
    ] = None,
    *,
    with_names: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME", help="And this one; repeatable.", rich_help_panel=_WHICH),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="NAME", help="But not this one; repeatable.", rich_help_panel=_WHICH),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Taken on this day or later.", rich_help_panel=_WHICH)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Taken on this day or before.", rich_help_panel=_WHICH)
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Probability from which a concept counts as there.",
            show_default="learnt, else 0.5",
            rich_help_panel=_WHICH,
        ),
    ] = None,
    video_moments: Annotated[
        bool, typer.Option("--video-moments", help="Only clips, with the seconds.", rich_help_panel=_WHICH)
    ] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table.", rich_help_panel=_OUT)] = None,
    jsonl: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one JSON document a line.", rich_help_panel=_OUT)
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write a page with thumbnails and boxes.", rich_help_panel=_OUT),
    ] = None,
    link_to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Fill a folder with links.", rich_help_panel=_OUT)
    ] = None,
    copy_to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Fill a folder with copies.", rich_help_panel=_OUT)
    ] = None,
    sidecars: Annotated[
        str | None,
        typer.Option(
            metavar="NAMING",
            help="Write the names into XMP sidecars: appended (photo.jpg.xmp) or replaced (photo.xmp).",
            rich_help_panel=_OUT,
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite a table or page that is there.", rich_help_panel=_OUT)
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the pictures with remembered concepts, from the index of `ego scan`; no model is loaded."""
    from ego.album.find import Question, counts
    from ego.album.find import find as search
    from ego.album.index import AlbumIndex

    output = Output(as_json=as_json)
    settings = resolve(library=library)
    require_library(settings)
    _require_new(csv, jsonl, gallery, replace=replace)
    question = Question(
        names=(*(names or ()), *(with_names or ())),
        without=tuple(without or ()),
        since=since.date() if since else None,
        until=until.date() if until else None,
        threshold=threshold,
        otherwise=settings.method.get("threshold", 0.5),
    )
    naming = _naming(sidecars)
    if gallery or naming:
        require_extra()
    matches = search(AlbumIndex(settings.library), question)
    if video_moments:
        matches = [match for match in matches if match.kind == "video"]
    _hand_on(output, matches, csv, jsonl, gallery, link_to, copy_to)
    if naming:
        _write_sidecars(output, settings.library, question, naming)
    output.result([dataclasses.asdict(match) for match in matches], *([_table(matches)] if matches else []))
    told = ", ".join(f"{name} {number}" for name, number in counts(matches).items())
    output.note(f"{len(matches)} {'picture' if len(matches) == 1 else 'pictures'}{': ' if told else ''}{told}")


def _require_new(csv: Path | None, jsonl: Path | None, gallery: Path | None, *, replace: bool) -> None:
    from ego.album.gallery import PAGE
    from ego.atomic_file import require_new

    for path in (csv, jsonl, None if gallery is None else gallery / PAGE):
        if path is not None:
            require_new(path, replace=replace)


def _naming(sidecars: str | None) -> Any:
    if sidecars not in (None, "appended", "replaced"):
        raise InputError(f"--sidecars {sidecars!r} is unknown; say appended (photo.jpg.xmp) or replaced (photo.xmp)")
    return sidecars


def _hand_on(
    output: Output,
    matches: "list[Match]",
    csv: Path | None,
    jsonl: Path | None,
    gallery: Path | None,
    link_to: Path | None,
    copy_to: Path | None,
) -> None:
    from ego.album.matches import gather
    from ego.album.tables import as_csv, as_json_lines

    for file, text in ((csv, as_csv), (jsonl, as_json_lines)):
        if file is not None:
            _write(file, text(matches))
            output.note(f"wrote {file}")
    if gallery is not None:
        from ego.album.gallery import write_gallery

        output.note(f"wrote {write_gallery(matches, gallery)}")
    if link_to is not None:
        output.note(f"{gather(matches, link_to, 'link')} links added to {link_to}")
    if copy_to is not None:
        output.note(f"{gather(matches, copy_to, 'copy')} copies added to {copy_to}")


def _write(file: Path, text: str) -> None:
    from ego.atomic_file import write_file

    try:
        write_file(file, text.encode())
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror or error}); choose another place") from error


def _write_sidecars(output: Output, library: Path, question: Any, naming: Any) -> None:
    """Write the sidecar of every scanned picture, so that names that are no longer right leave, too."""
    from ego.album.find import find as search
    from ego.album.index import AlbumIndex
    from ego.album.sidecar import write_sidecar

    index = AlbumIndex(library)
    everything = dataclasses.replace(question, names=(), without=(), since=None, until=None)
    names = {match.path: [one.name for one in match.seen] for match in search(index, everything)}
    written = sum(
        write_sidecar(Path(entry.path), names.get(entry.path, []), naming=naming)
        for entry in index.entries()
        if not entry.problem and Path(entry.path).exists()
    )
    output.note(f"{written} sidecars written")


def _table(matches: "list[Match]") -> Table:
    table = Table("picture", "taken", "who, how sure")
    table.columns[0].overflow = "fold"
    for match in matches:
        who = ", ".join(
            f"{one.name} {one.probability:.2f}" + "".join(f" @{moment:.1f}s" for moment in one.moments)
            for one in match.seen
        )
        table.add_row(_from_here(match.path), match.taken[:10], who)
    return table


def _from_here(path: str) -> str:
    """Say a path as the next command can be given it; short where it is below the current folder."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
