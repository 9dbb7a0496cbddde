"""`ego correct`: tell Ego that it was right or wrong about a picture; it learns from that, and forgets it on demand."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ego.cli.completion import concept_names
from ego.cli.opening import open_personalizer, require_library
from ego.cli.options import DeviceOption, JsonOption, LibraryOption, ModelOption
from ego.cli.output import Output
from ego.cli.paths import require_files
from ego.cli.settings import resolve
from ego.errors import InputError


def correct(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The concept.", show_default=False, autocompletion=concept_names),
    ] = None,
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="IMAGE", help="Photos of which you say it.", show_default=False)
    ] = None,
    *,
    there: Annotated[
        bool | None,
        typer.Option("--yes/--no", help="The concept is in these photos, or it is not.", show_default=False),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last word back.")] = False,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say "yes, this is Bo" or "no, this is not": answers about Bo heed it from now on, in albums as well.

    A photo is then answered as you said; for all others the concept's own threshold moves, a little for one word, as
    far as needed for many. Nothing is trained, and --undo takes words back one by one.
    """
    output, settings = Output(as_json=as_json), resolve(model, library, device)
    require_library(settings)
    if undo:
        _undo(output, settings.library, [name, *(images or ()), there])
        return
    if name is None or not images or there is None:
        raise InputError("say about whom, in which photos, and --yes or --no: ego correct Bo photo.jpg --no")
    require_files(images)
    personal = open_personalizer(settings, output)
    told = []
    for image in images:
        with output.working(f"looking at {image}"):
            answered = personal.correct(name, str(image), there=there)
        told.append({"image": str(image), "there": there, "answered": asdict(answered)})
        right = "as the model said" if answered.present == there else "the model said otherwise"
        output.people(f"{image}: {name} is {'' if there else 'not '}there ({right}, {answered.probability:.2f})")
    output.result(told)


def _undo(output: Output, library: Path, given: list[object]) -> None:
    from ego.corrections import Corrections

    if any(value is not None for value in given):
        raise InputError("--undo takes back the last word, whatever it was about; give nothing else")
    last = Corrections(library).undo()
    if last is None:
        raise InputError("nothing was corrected in this library; there is nothing to take back")
    word = "yes" if last.there else "no"
    output.result(last.model_dump(), f"Taken back: your {word} about {last.path or 'a picture'}.")
