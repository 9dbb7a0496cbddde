"""`ego tune-threshold`: learn from a few photos of the user's own album when a concept counts as present."""

from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ego.cli.opening import open_personalizer, open_store
from ego.cli.options import DeviceOption, JsonOption, LibraryOption, ModelOption, NamesOption
from ego.cli.output import Output
from ego.cli.paths import problem_with
from ego.cli.settings import resolve
from ego.errors import ImageError, InputError, VideoError

if TYPE_CHECKING:
    from ego.answer_correction import AnswerCorrection
    from ego.personalizer import Ego

_MANY = ("--negatives", "--positives")
_KEEP = "Keep the result"
FEWEST_OF_A_KIND = 5  # photos with and photos without it behind a correction; two numbers are fitted to them


class ManyFiles(TyperCommand):
    """A command whose options of files take all files behind them, as a shell puts them there for `*.jpg`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before every further file."""
        return super().parse_args(ctx, _repeated(args))


def tune_threshold(
    *,
    negatives: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE...", help="Photos that show none of them.", readable=False, show_default=False),
    ] = None,
    positives: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE...",
            help="Photos that show the concept (give one --name with them).",
            readable=False,
            show_default=False,
        ),
    ] = None,
    false_alarms: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Wanted rate of false alarms, used without positives.")
    ] = 0.05,
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="Use the threshold from now on: of the one --name, else of the library.",
            rich_help_panel=_KEEP,
        ),
    ] = False,
    save_correction: Annotated[
        bool,
        typer.Option(
            "--save-correction",
            help="Correct the model's probabilities from now on, so that 0.5 is the threshold to use; needs both kinds "
            "of photos.",
            rich_help_panel=_KEEP,
        ),
    ] = False,
    reset: Annotated[
        bool,
        typer.Option("--reset", help="Forget a saved threshold, and the model's correction.", rich_help_panel=_KEEP),
    ] = False,
    names: NamesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn from a few photos of your own album when a concept counts as present, and keep it if you like."""
    from ego.evaluation.threshold import tune

    output, settings = Output(as_json=as_json), resolve(model, library, device)
    _require_sense(negatives, positives, names, save=save, correct=save_correction, reset=reset)
    if reset:
        output.result(*_reset(open_personalizer(settings, output), names))
        return
    open_store(settings)
    absent_photos, present_photos = (_usable(photos or [], output) for photos in (negatives, positives))
    personal = open_personalizer(settings, output)
    with output.working("looking at the photos"):
        absent, present = (_highest(personal, photos, names, output) for photos in (absent_photos, present_photos))
    document: dict[str, Any] = {}
    if save_correction:
        correction, (absent, present) = _correct(personal, absent, present)
        document |= {"scale": correction.scale, "bias": correction.bias, "correction": str(correction.save())}
    tuned = tune(absent, present, false_alarms=false_alarms)
    document |= {"threshold": tuned.threshold, "false_alarms": tuned.false_alarms, "recall": tuned.recall}
    told = [f"threshold {_rounded_up(tuned.threshold)} ({tuned.rule})"]
    if save_correction:
        told.append(f"probabilities of this model are corrected from now on; kept in {document['correction']}")
    if save:
        document["saved"] = str(_keep(personal, names, float(_rounded_up(tuned.threshold))))
        told.append(f"used from now on for {_whose(names)}; kept in {document['saved']}")
    if not (save or save_correction):
        spelled = _rounded_up(tuned.threshold)
        told.append(f"to use it: --save, or [method] threshold = {spelled} in config.toml, or --threshold {spelled}")
    output.result({**document, "rule": tuned.rule}, *told)


def _repeated(arguments: list[str]) -> list[str]:
    """Spell `--negatives a.jpg b.jpg` as `--negatives a.jpg --negatives b.jpg`."""
    spelled: list[str] = []
    option, first = "", False
    for argument in arguments:
        if argument in _MANY:
            option, first = argument, True
        elif argument.startswith("-"):
            option = ""
        elif option and not first:
            spelled.append(option)
        else:
            first = False
        spelled.append(argument)
    return spelled


def _require_sense(
    negatives: list[Path] | None,
    positives: list[Path] | None,
    names: list[str] | None,
    *,
    save: bool,
    correct: bool,
    reset: bool,
) -> None:
    one = names is not None and len(names) == 1
    if reset and (negatives or positives or save or correct):
        raise InputError("--reset forgets what was saved; give it alone, or with --name")
    if not reset and not negatives:
        raise InputError("give photos that show none of your concepts: --negatives *.jpg")
    if positives and not one:
        raise InputError("--positives show one concept; give its --name")
    if correct and not positives:
        raise InputError("--save-correction needs --positives and one --name beside --negatives")
    if save and names and not one:
        raise InputError("--save keeps a threshold for one --name, or for the library without any")


def _usable(photos: list[Path], output: Output) -> list[Path]:
    """Leave out what cannot be opened, before a model is loaded."""
    problems = {photo: problem_with(photo) for photo in photos}
    for problem in filter(None, problems.values()):
        output.warn(problem)
    return [photo for photo, problem in problems.items() if problem is None]


def _highest(personal: "Ego", photos: list[Path], names: list[str] | None, output: Output) -> list[float]:
    """Give the highest probability of each photo: concepts are asked of one photo together, photos are independent."""
    highest = []
    for photo in photos:
        try:
            found = personal.recognize(str(photo), names)
        except (ImageError, VideoError) as error:
            output.warn(error)
            continue
        asked = [one.probability for one in found.values() if one.said != "not asked"]
        highest += [max(asked)] if asked else []
    return highest


def _correct(
    personal: "Ego", absent: list[float], present: list[float]
) -> "tuple[AnswerCorrection, tuple[list[float], list[float]]]":
    """Fit a correction to what the model said before any; also what it makes of these photos."""
    from ego.answer_correction import refit, saved_correction

    if min(len(absent), len(present)) < FEWEST_OF_A_KIND:
        raise InputError(
            f"{len(present)} photos with the concept and {len(absent)} without it can be used; a correction needs "
            f"{FEWEST_OF_A_KIND} of each at least"
        )
    fingerprint, decoder = personal.backbone.fingerprint, personal.backbone.card.decoder
    truths = [False] * len(absent) + [True] * len(present)
    known = saved_correction(fingerprint, decoder)
    correction, corrected = refit(known, [*absent, *present], truths, source="ego tune-threshold")
    return correction, (corrected[: len(absent)], corrected[len(absent) :])


def _keep(personal: "Ego", names: list[str] | None, threshold: float | None) -> Path:
    """Keep, or forget, the threshold of a concept or of the library."""
    from ego.thresholds import read_thresholds, write_thresholds

    store = personal.store
    thresholds = read_thresholds(store.folder)
    if names:
        changed = thresholds.with_concept(store.get(names[0]), threshold)
    else:
        changed = thresholds.with_library(personal.backbone.fingerprint, threshold)
    return write_thresholds(store.folder, changed)


def _reset(personal: "Ego", names: list[str] | None) -> tuple[dict[str, Any], str]:
    from ego.answer_correction import forget_correction

    path = _keep(personal, names, None)
    forgotten = None if names else forget_correction(personal.backbone.fingerprint, personal.backbone.card.decoder)
    document = {"forgotten": str(path), "correction": None if forgotten is None else str(forgotten)}
    return document, f"no threshold is kept for {_whose(names)} any more"


def _whose(names: list[str] | None) -> str:
    return names[0] if names else "all concepts of this library without a threshold of their own"


def _rounded_up(threshold: float) -> Decimal:
    """Spell a threshold with 6 digits, never below itself: the photo it lies just above must not count as present."""
    return Decimal(threshold).quantize(Decimal("0.000001"), ROUND_CEILING)
