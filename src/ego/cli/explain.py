"""`ego explain`: draw which parts of a reference photo a memory rests on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ego.cli.opening import open_store
from ego.cli.options import JsonOption, LibraryOption
from ego.cli.output import Output
from ego.cli.settings import resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

    from ego.memory import ConceptMemory

_WORDLESS = {"region": "chosen by your region", "none": "chosen without words"}


def explain(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A remembered concept.", show_default=False)],
    reference: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGE", help="A photo it was introduced with; photos are not stored.", show_default=False
        ),
    ],
    *,
    view: Annotated[
        int | None, typer.Option(min=0, help="Which reference it is, from 0.", show_default="found by its pixels")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Picture to write.")] = Path("heatmap.png"),
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a heat-map: red where the description's words look, white boxes around the kept visual tokens."""
    from ego.explain import heatmap
    from ego.media import read_image

    output = Output(as_json=as_json)
    memory = open_store(resolve(library=library)).get(name)
    image = read_image(reference)
    number = _view_with(memory, image.digest, reference) if view is None else view
    _save(heatmap(memory, image.picture, view=number), out)
    record = memory.views[number]
    document = {"name": memory.name, "view": number, "heatmap": str(out), "kept": len(record.kept)}
    wordless = _WORDLESS.get(record.description_by, "")
    said = f"{record.description_by}: {record.description}" if record.description else wordless
    output.result(document, f"wrote {out}: {len(record.kept)} of {record.candidates} tokens kept", said)


def _view_with(memory: "ConceptMemory", digest: str, reference: Path) -> int:
    digests = [record.image for record in memory.views]
    if digest not in digests:
        raise InputError(f"{reference} is none of the photos that {memory.name!r} was introduced with; give --view")
    return digests.index(digest)


def _save(picture: "Image.Image", path: Path) -> None:
    try:
        picture.save(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be written ({error}); choose another --out such as heatmap.png") from error
