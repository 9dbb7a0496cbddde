"""`ego explain`: draw which parts of a reference photo a memory rests on."""

from io import BytesIO
from pathlib import Path
from typing import Annotated

import typer

from ego.cli.opening import open_store
from ego.cli.options import JsonOption, LibraryOption
from ego.cli.output import Output
from ego.cli.paths import require_new_file, written
from ego.cli.settings import resolve
from ego.errors import InputError

_KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
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
        int | None,
        typer.Option(min=0, help="Which view of that photo, from 0, if there are several.", show_default="the first"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Picture to write.")] = Path("heatmap.png"),
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite the picture.")] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a heat-map: red where the description's words look, white boxes around the kept visual tokens."""
    from ego.explain import heatmap, view_of_photo
    from ego.media import read_image

    output, kind = Output(as_json=as_json), _kind(out)
    require_new_file(out, replace=replace, option="--out")
    memory = open_store(resolve(library=library)).get(name)
    image = read_image(reference)
    number = view_of_photo(memory, image.digest, str(reference), view)
    drawn = BytesIO()
    heatmap(memory, image.picture, view=number).save(drawn, kind)
    written(out, drawn.getvalue())
    record = memory.views[number]
    document = {"name": memory.name, "view": number, "heatmap": str(out), "kept": len(record.kept)}
    wordless = _WORDLESS.get(record.description_by, "")
    said = f"{record.description_by}: {record.description}" if record.description else wordless
    output.result(document, f"wrote {out}: {len(record.kept)} of {record.candidates} tokens kept", said)


def _kind(path: Path) -> str:
    if path.suffix.lower() not in _KINDS:
        raise InputError(f"{path} is not named like a picture; choose --out such as heatmap.png or heatmap.jpg")
    return _KINDS[path.suffix.lower()]
