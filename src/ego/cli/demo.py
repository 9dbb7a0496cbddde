"""`ego demo`: the whole story with the pictures of the package, or with the user's own photos."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ego.cli.opening import open_backbone
from ego.cli.options import DeviceOption, JsonOption, ModelOption
from ego.cli.output import Output
from ego.cli.paths import require_files
from ego.cli.settings import resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.demo.outcome import Outcome, Score
    from ego.demo.pictures import DemoPictures

_OWN = "Your own photos"


def demo(
    *,
    concept: Annotated[
        str | None, typer.Option(metavar="NAME", help="What you call it.", rich_help_panel=_OWN, show_default=False)
    ] = None,
    photo: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A photo of it; repeatable.", rich_help_panel=_OWN, show_default=False),
    ] = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="A picture to look for it in; repeatable.", rich_help_panel=_OWN, show_default=False
        ),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder per thing: one photo of each introduces it, the others are asked about.",
            rich_help_panel=_OWN,
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where heat-maps and the contact sheet go.")
    ] = Path("demo-output"),
    model: ModelOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all of it: introduce three concepts, recognize, ask, caption, draw heat-maps. Your library is not used."""
    from ego.demo.outcome import scores
    from ego.demo.story import perform
    from ego.personalizer import Ego

    output, settings = Output(as_json=as_json), resolve(model, device=device)
    pictures = _pictures(concept, photo or [], test or [], photos)
    for note in pictures.notes:
        output.note(note)
    personal = Ego(open_backbone(settings, output), config=settings.config())
    folder = _folder(out)
    try:
        outcome = perform(personal, pictures, folder, output.tell)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror or error}); choose another --out") from error
    output.result(_document(outcome, out), *_summary(scores(outcome)))


def _pictures(concept: str | None, photos: list[Path], tests: list[Path], folder: Path | None) -> "DemoPictures":
    from ego.demo.own_album import own_album
    from ego.demo.pictures import own_pictures, shipped_pictures

    if folder is not None:
        if concept is not None or photos or tests:
            raise InputError("--photos FOLDER is all it takes; leave out --concept, --photo and --test")
        return own_album(folder)
    if concept is None and not photos and not tests:
        return shipped_pictures()
    if concept is None:
        raise InputError("give --concept NAME with your photos, or --photos FOLDER with a folder per thing")
    require_files([*photos, *tests])
    return own_pictures(concept, photos, tests)


def _folder(path: Path) -> Path:
    from ego.atomic_file import make_folder

    try:
        make_folder(path)
    except OSError as error:
        raise InputError(f"{path} cannot be made ({error.strerror}); choose another --out") from error
    return path


def _document(outcome: "Outcome", out: Path) -> dict[str, object]:
    from ego.demo.outcome import scores

    return {**asdict(outcome), "scores": [asdict(score) for score in scores(outcome)], "folder": str(out)}


def _summary(counted: "tuple[Score, ...]") -> list[Table]:
    if not counted:
        return []
    table = Table("judged against the truth", "right", "wrong")
    for score in counted:
        table.add_row(score.what, str(score.right), str(score.wrong))
    return [table]
