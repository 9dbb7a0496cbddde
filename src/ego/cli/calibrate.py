"""`ego calibrate | tune-threshold`: fit the method to a model and to the user's own album."""

from dataclasses import asdict
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ego.cli.opening import open_backbone, open_personalizer
from ego.cli.options import DeviceOption, JsonOption, LibraryOption, ModelOption, NamesOption
from ego.cli.output import Output
from ego.cli.settings import resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.calibration import LayerSelection
    from ego.evaluation.calibrating import Comparison
    from ego.evaluation.metrics.bootstrap import Estimate
    from ego.personalizer import Ego

OVERLAYS = 4  # images drawn


def calibrate(
    *,
    images: Annotated[Path, typer.Option(metavar="FOLDER", help="COCO images.")],
    annotations: Annotated[Path, typer.Option(metavar="FILE", help="COCO instances JSON.")],
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
    model: ModelOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose the decoder layers whose attention finds the object; an interrupted run continues."""
    from ego.evaluation import require_extra

    require_extra()
    from ego.evaluation import calibrating
    from ego.evaluation.datasets.coco import single_object_images

    if test_images and not test_annotations:
        raise InputError("--test-images are only read with --test-annotations; give both")
    output, settings = Output(as_json=as_json), resolve(model, device=device)
    found = single_object_images(images, annotations, limit=limit, ignore_below=ignore_below)
    backbone, config = open_backbone(settings, output), settings.config()
    others = (
        single_object_images(test_images or images, test_annotations, limit=limit, ignore_below=ignore_below)
        if test_annotations
        else []
    )
    with output.working(f"observing {len(found) + len(others)} images"):
        seen, tested = (calibrating.observe_all(backbone, some, out, config, heads=heads) for some in (found, others))
    choosing, testing = (seen, tested) if others else calibrating.split(seen, held_out)
    selection = calibrating.calibrate(backbone, choosing, config, keep=keep)
    compared = calibrating.compare(backbone, selection, testing, config)
    path = selection.save(save_to)
    calibrating.draw(selection, out / "layers.png")
    layers, budget = backbone.card.attention_layers, config.budget
    calibrating.draw_overlays(found, seen[:OVERLAYS], selection, layers, out / "overlays.png", budget=budget)
    document = {"layers": selection.layers, "saved": str(path), "held_out": _document(compared)}
    told = [_scores(selection), *([_heads(selection)] if heads else []), _held_out(compared)]
    output.result(document, *told, f"layers {selection.layers} saved in {path}")


def tune_threshold(
    *,
    negatives: Annotated[list[Path], typer.Option(metavar="FILE", help="Photo that shows none of them; repeatable.")],
    positives: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Photo that shows the concept (give one --name with it); repeatable."),
    ] = None,
    false_alarms: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Wanted rate of false alarms, used without positives.")
    ] = 0.05,
    names: NamesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn from a few photos of your own album when a concept counts as present."""
    from ego.evaluation.threshold import tune

    if positives and (names is None or len(names) != 1):
        raise InputError("--positives show one concept; give its --name")
    output = Output(as_json=as_json)
    personal = open_personalizer(resolve(model, library, device), output)
    with output.working("looking at the photos"):
        absent, present = _highest(personal, negatives, names), _highest(personal, positives or [], names)
    tuned = tune(absent, present, false_alarms=false_alarms)
    document = {"threshold": tuned.threshold, "false_alarms": tuned.false_alarms, "recall": tuned.recall}
    spelled = _rounded_up(tuned.threshold)
    advice = f"threshold {spelled} ({tuned.rule}); to use it: [method] threshold = {spelled}"
    output.result({**document, "rule": tuned.rule}, f"{advice} in config.toml, or --threshold")


def _rounded_up(threshold: float) -> Decimal:
    """Spell a threshold with 6 digits, never below itself: the photo it lies just above must not count as present."""
    return Decimal(threshold).quantize(Decimal("0.000001"), ROUND_CEILING)


def _highest(personal: "Ego", photos: list[Path], names: list[str] | None) -> list[float]:
    """Give the highest probability of each photo: concepts are asked of one photo together, photos are independent."""
    answers = [personal.recognize(str(photo), names) for photo in photos]
    asked = [[found.probability for found in one.values() if found.said != "not asked"] for one in answers]
    return [max(probabilities) for probabilities in asked if probabilities]


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
