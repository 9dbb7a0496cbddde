"""The tree of commands. Every module below imports torch only when its command runs."""

from typing import Annotated

import typer

import ego
from ego.cli import bench, bench_scale, concepts, config, library
from ego.cli.album import scan, watch
from ego.cli.answers import ask, caption, chat
from ego.cli.calibrate import calibrate
from ego.cli.check import check
from ego.cli.check_library import check_library
from ego.cli.correct import correct
from ego.cli.demo import demo
from ego.cli.evaluate import evaluate, report
from ego.cli.explain import explain
from ego.cli.find import find
from ego.cli.introduce import introduce
from ego.cli.models import models
from ego.cli.recognize import recognize
from ego.cli.serve import keys_app, serve
from ego.cli.threshold import ManyFiles, tune_threshold
from ego.cli.web import web

HELP = (
    "Personalize a vision-language model from one photo: introduce your things, then recognize, ask and caption.\n\n"
    "\b\n"
    "ego introduce Bo bo-1.jpg bo-2.jpg     remember a dog from two photos  \n"
    "ego recognize park.jpg beach.jpg       say who is in these photos  \n"
    'ego ask "Where is Bo?" park.jpg        ask about a photo  \n'
    "ego scan ~/Pictures && ego find Bo     find Bo in a whole album\n\n"
    "Settings: an option wins over its environment variable (EGO_MODEL, EGO_LIBRARY, EGO_DEVICE), which wins over "
    "config.toml in the usual folder of the platform (~/.config/ego on Linux; keys model, library, device, and a table "
    "method with fields of EgoConfig), which wins over the default.\n\n"
    "Exit codes: 0 done; 1 other error; 2 unusable input, option or setting; 3 no such concept, or the name is taken; "
    "4 a memory file is damaged or of another model; 5 the library cannot be read or written; 6 the model cannot "
    "be loaded; 7 nothing to select, or the prompt does not fit; 130 interrupted. A reader that goes away (| head) is "
    "no error. Under --json an error is a document on stdout as well. With --debug, anywhere, an error shows where it "
    "comes from."
)

MEASURING = "Fit and measure"
ALBUM = "Whole albums"

app = typer.Typer(
    name="ego",
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool | None) -> None:
    if wanted:
        print(f"ego {ego.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = None,
) -> None:
    """Hold the options of the program itself; HELP above is what a user reads."""


app.command()(introduce)
app.command()(recognize)
app.command()(ask)
app.command()(caption)
app.command()(chat)
app.command()(explain)
app.command()(correct)
app.command(rich_help_panel=ALBUM)(scan)
app.command(rich_help_panel=ALBUM)(find)
app.command(rich_help_panel=ALBUM)(watch)
app.command()(web)
app.add_typer(concepts.app)
app.add_typer(library.app)
app.add_typer(config.app)
app.command()(models)
app.command()(demo)
app.command()(serve)
app.add_typer(keys_app)
app.command(rich_help_panel=MEASURING)(calibrate)
app.command("tune-threshold", cls=ManyFiles, rich_help_panel=MEASURING)(tune_threshold)
app.command("eval", rich_help_panel=MEASURING)(evaluate)
app.command(rich_help_panel=MEASURING)(report)
app.command(rich_help_panel=MEASURING)(check)
app.command("check-library", rich_help_panel=MEASURING)(check_library)
bench.app.command("filter")(bench_scale.filter_command)
bench.app.command("library")(bench_scale.library_command)
bench.app.command("bulk")(bench_scale.bulk_command)
app.add_typer(bench.app, rich_help_panel=MEASURING)
