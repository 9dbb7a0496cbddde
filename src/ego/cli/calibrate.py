"""`ego calibrate`: find out which layers of a model look at what they speak of."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ego.cli.opening import open_backbone
from ego.cli.options import DeviceOption, JsonOption, ModelOption
from ego.cli.output import Output
from ego.cli.settings import Settings, resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.calibration import LayerSelection
    from ego.evaluation.calibrating import Comparison
    from ego.evaluation.datasets.coco import MaskedImage
    from ego.evaluation.metrics.bootstrap import Estimate

OVERLAYS = 4  # images drawn


def calibrate(
    *,
    images: Annotated[Path | None, typer.Option(metavar="FOLDER", help="COCO images.", show_default=False)] = None,
    annotations: Annotated[
        Path | None, typer.Option(metavar="FILE", help="COCO instances JSON.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Observations and plots.")] = Path(
        "ego-calibration"
    ),
    limit: Annotated[int, typer.Option(min=1, help="Most images.")] = 200,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Layers to keep.", show_default="5, of a small model a third")
    ] = None,
    held_out: Annotated[float, typer.Option(min=0, max=0.9, help="Share of images that only test the choice.")] = 0.25,
    test_annotations: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="COCO instances JSON of other images that test the choice; then all of the first choose.",
        ),
    ] = None,
    test_images: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Their folder.", show_default="that of --images")
    ] = None,
    heads: Annotated[bool, typer.Option("--heads", help="Rank single heads, too.")] = False,
    ignore_below: Annotated[
        float, typer.Option(min=0, max=1, help="Objects smaller than this share of the image do not count.")
    ] = 0.0,
    save_to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the layers go.", show_default="where ego finds them")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Save a choice that rests on too few images.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to the layers before the last calibration.")] = False,
    model: ModelOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose the decoder layers whose attention finds the object; an interrupted run continues."""
    from ego.evaluation import require_extra

    require_extra()
    from ego.evaluation import calibrating
    from ego.evaluation.datasets.coco import single_object_images

    output, settings = Output(as_json=as_json), resolve(model, device=device)
    if undo:
        _undo(output, settings)
        return
    if images is None or annotations is None or (test_images and not test_annotations):
        raise InputError("--images needs --annotations and --test-images need --test-annotations; give both")

    def pictures(folder: Path, file: Path) -> "tuple[MaskedImage, ...]":
        with output.working("reading the images"):
            found = single_object_images(folder, file, limit=limit, ignore_below=ignore_below)
        for note in found.notes:
            output.note(note)
        return found.images

    found = pictures(images, annotations)
    others = pictures(test_images or images, test_annotations) if test_annotations else ()
    if save_to is None and not force:
        _require_enough(round(len(found) * (1.0 if others else 1 - held_out)))
    _require_folder(out)
    backbone, config = open_backbone(settings, output), settings.config()
    with output.working(f"observing {len(found) + len(others)} images"):
        seen, tested = (calibrating.observe_all(backbone, some, out, config, heads=heads) for some in (found, others))
    choosing, testing = (seen, tested) if others else calibrating.split(seen, held_out)
    selection = calibrating.calibrate(backbone, choosing, config, keep=keep)
    compared = calibrating.compare(backbone, selection, testing, config)
    path = selection.save(save_to)
    calibrating.draw(selection, out / "layers.png")
    shown, layers = seen[:OVERLAYS], backbone.card.attention_layers
    calibrating.draw_overlays(found, shown, selection, layers, out / "overlays.png", budget=config.budget)
    document = {"layers": selection.layers, "saved": str(path), "held_out": _document(compared)}
    told = [_scores(selection), *([_heads(selection)] if heads else []), _held_out(compared)]
    output.result(
        document, *told, f"layers {selection.layers} saved in {path}{'' if save_to else '; --undo goes back'}"
    )


def _undo(output: Output, settings: Settings) -> None:
    from ego.calibration import forget_layers

    backbone = open_backbone(settings, output)
    path, layers = forget_layers(backbone.fingerprint, backbone.card.decoder)
    told = f"back to the layers {layers}" if layers else "back to the layers that ship, or to the depth band"
    output.result({"removed": str(path), "layers": layers}, told)


def _require_enough(images: int) -> None:
    from ego.evaluation.calibrating import FEWEST_IMAGES

    if images < FEWEST_IMAGES:
        raise InputError(
            f"{images} images would choose the layers; {FEWEST_IMAGES} are the least that a choice should rest on. "
            "Give more images, --save-to FILE to try, or --force to save this choice for the model"
        )


def _require_folder(path: Path) -> None:
    from ego.atomic_file import make_folder

    try:
        make_folder(path)
    except OSError as error:
        raise InputError(f"{path} cannot be made ({error.strerror}); choose another --out") from error


def _scores(selection: "LayerSelection") -> Table:
    table = Table("layer", "precision at K", "IoU", title=f"{selection.images} images")
    for score in selection.scores:
        chosen = " (chosen)" if score.layer in selection.layers else ""
        table.add_row(f"{score.layer}{chosen}", f"{score.precision:.3f}", f"{score.iou:.3f}")
    table.add_row("at random", f"{selection.object_share:.3f}", "")
    return table


def _heads(selection: "LayerSelection") -> Table:
    table = Table("layer", "head", "precision at K", "IoU", title="best single heads; layers are read as a whole")
    for score in selection.heads:
        table.add_row(str(score.layer), str(score.head), f"{score.precision:.3f}", f"{score.iou:.3f}")
    return table


def _held_out(compared: "dict[str, Comparison]") -> Table:
    table = Table("other images", "layers", "precision at K", "IoU", "calibrated layers ahead by")
    for name, one in compared.items():
        table.add_row(name, " ".join(map(str, one.layers)), *map(_spelled, (one.precision, one.iou, one.lead)))
    return table


def _spelled(estimate: "Estimate") -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _document(compared: "dict[str, Comparison]") -> dict[str, Any]:
    return {name: asdict(one) for name, one in compared.items()}
