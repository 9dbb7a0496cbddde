"""Options that many commands share, so that one word means one thing everywhere."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from ego.cli.completion import concept_names
from ego.limits import FRAMES

_WHERE = "Model and library"

ModelOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="EGO_MODEL",
        metavar="ID|FOLDER",
        help="Hugging Face model, a local folder of one, or mini (the embedded model).",
        rich_help_panel=_WHERE,
        show_default="mini",
    ),
]
LibraryOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--library",
        "-l",
        envvar="EGO_LIBRARY",
        metavar="FOLDER",
        help="Folder of remembered concepts.",
        rich_help_panel=_WHERE,
        show_default="the user's data folder",
    ),
]
DeviceOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--device",
        "-d",
        envvar="EGO_DEVICE",
        metavar="DEVICE",
        help="cpu, cuda, cuda:1, mps, or auto (spread over all GPUs).",
        rich_help_panel=_WHERE,
        show_default="cuda if there is one, else cpu",
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout; everything else goes to stderr.")
]
JsonLinesOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON document a line on stdout, for each image as it is answered; everything else goes to "
        "stderr.",
    ),
]
NamesOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        "-n",
        metavar="NAME",
        help="Only this concept; repeatable.",
        show_default="all",
        autocompletion=concept_names,
    ),
]
FramesOption: TypeAlias = Annotated[
    int | None,
    typer.Option("--frames", min=1, max=FRAMES, help="Frames to look at if the image is a video.", show_default="8"),
]
MANY = "Many at once"
BatchOption: TypeAlias = Annotated[
    int, typer.Option("--batch", min=1, help="How many a worker gets at once.", rich_help_panel=MANY)
]
RayOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--ray", help="Spread the work over Ray workers, one model each (extra distributed).", rich_help_panel=MANY
    ),
]
RayAddressOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="ADDRESS",
        help="A Ray cluster, for example auto or ray://head:10001.",
        rich_help_panel=MANY,
        show_default="Ray on this machine",
    ),
]
WorkersOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, help="How many workers.", rich_help_panel=MANY, show_default="one per GPU, or per core"
    ),
]
