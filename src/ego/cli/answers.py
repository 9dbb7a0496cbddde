"""`ego recognize | ask | caption | chat`: look at an image with the remembered concepts in mind."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ego.cli.opening import NOTHING_KNOWN, open_personalizer
from ego.cli.options import DeviceOption, FramesOption, JsonOption, LibraryOption, ModelOption, NamesOption
from ego.cli.output import Output
from ego.cli.settings import Settings, resolve
from ego.errors import ImageError, VideoError

if TYPE_CHECKING:
    from ego.answer import Answer, Recognition
    from ego.chat import Chat
    from ego.personalizer import Ego

FAREWELLS = {"/exit", "/quit"}

ImagesArgument = Annotated[
    list[Path], typer.Argument(metavar="IMAGE", help="Images or videos to look at.", show_default=False)
]
QuestionArgument = Annotated[
    str, typer.Argument(metavar="QUESTION", help="May use the concepts' names.", show_default=False)
]
ImageArgument = Annotated[
    Path | None, typer.Argument(metavar="IMAGE", help="Image or video to look at.", show_default=False)
]


def recognize(
    images: ImagesArgument,
    *,
    names: NamesOption = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Probability from which a concept counts as present.", show_default="0.5"),
    ] = None,
    frames: FramesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which remembered concepts are in an image or video, and how sure that is.

    A file that cannot be read is reported, the others are answered; the exit code is then that of the last such file.
    """
    output = Output(as_json=as_json)
    personal = _open(resolve(model, library, device), output, frames)
    documents: list[dict[str, Any]] = []
    failure = 0
    for image in map(str, images):
        try:
            with output.working(f"looking at {image}"):
                seen = list(personal.recognize(image, names, threshold=threshold).values())
        except (ImageError, VideoError) as error:
            documents.append({"image": image, "error": str(error)})
            output.warn(error)
            failure = error.exit_code
        else:
            documents.append({"image": image, "concepts": [asdict(one) for one in seen]})
            if seen:
                output.people(image, _table(seen))
    output.result(documents)
    raise typer.Exit(failure)


def ask(
    question: QuestionArgument,
    image: ImageArgument = None,
    *,
    names: NamesOption = None,
    frames: FramesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question about an image or video, or about the remembered concepts alone."""
    output = Output(as_json=as_json)
    personal = _open(resolve(model, library, device), output, frames)
    with output.streaming("looking") as on_text:
        answer = personal.ask(question, _source(image), names, on_text=on_text)
    _finish(output, answer)


def caption(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="Image or video to describe.", show_default=False)],
    *,
    names: NamesOption = None,
    frames: FramesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe an image or video in one sentence that calls the concepts by name."""
    output = Output(as_json=as_json)
    personal = _open(resolve(model, library, device), output, frames)
    with output.streaming("looking") as on_text:
        answer = personal.caption(str(image), names, on_text=on_text)
    _finish(output, answer)


def chat(
    image: ImageArgument = None,
    *,
    names: NamesOption = None,
    frames: FramesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Talk about an image over several turns; /exit or the end of the input ends it.

    Under --json each line of the input is a turn and each line of the output one JSON document.
    """
    output = Output(as_json=as_json)
    personal = _open(resolve(model, library, device), output, frames)
    with output.working("looking"):
        conversation = personal.chat(_source(image), names)
    _converse(conversation, output)


def _converse(conversation: "Chat", output: Output) -> None:
    while (text := output.ask_line("you: ")) is not None and text.strip() not in FAREWELLS:
        if text.strip():
            with output.streaming("thinking") as on_text:
                answer = conversation.say(text, on_text=on_text)
            _finish(output, answer)


def _open(settings: Settings, output: Output, frames: int | None) -> "Ego":
    personal = open_personalizer(settings, output, video_frames=frames)
    if not personal.memories:
        output.note(NOTHING_KNOWN)
    return personal


def _source(image: Path | None) -> str | None:
    return None if image is None else str(image)


def _finish(output: Output, answer: "Answer") -> None:
    output.result(asdict(answer), "")
    if answer.dropped:
        output.note(f"left out, for there was not room for all: {', '.join(answer.dropped)}")


def _table(seen: "list[Recognition]") -> Table:
    table = Table("concept", "in the image", "probability")
    for one in seen:
        table.add_row(one.name, "yes" if one.present else "no", _probability(one))
    return table


def _probability(one: "Recognition") -> str:
    return "not asked" if one.said == "not asked" else f"{one.probability:.2f}"
