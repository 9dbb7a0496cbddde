"""`ego ask | caption | chat`: talk about images with the remembered concepts in mind."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ego.cli.opening import NOTHING_KNOWN, count_known, open_answering
from ego.cli.options import (
    DeviceOption,
    FramesOption,
    JsonLinesOption,
    JsonOption,
    LibraryOption,
    ModelOption,
    NamesOption,
)
from ego.cli.output import Output
from ego.cli.paths import require_files
from ego.cli.pictures import each_picture
from ego.cli.settings import Settings, resolve
from ego.errors import InputError

if TYPE_CHECKING:
    from ego.chat import Chat
    from ego.client.chat import RemoteChat
    from ego.client.remote import RemoteEgo
    from ego.personalizer import Ego
    from ego.results import Answer

FAREWELLS = {"/exit", "/quit"}
_Say = Callable[["Ego | RemoteEgo", str, Callable[[str], None] | None], "Answer"]

QuestionArgument = Annotated[
    str, typer.Argument(metavar="QUESTION", help="May use the concepts' names.", show_default=False)
]
ImageArgument = Annotated[
    Path | None, typer.Argument(metavar="IMAGE", help="Image or video to look at.", show_default=False)
]


def ask(
    question: QuestionArgument,
    images: Annotated[
        list[Path] | None,
        typer.Argument(metavar="IMAGE", help="Images or videos to look at.", show_default=False, readable=False),
    ] = None,
    *,
    names: NamesOption = None,
    frames: FramesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Answer a question about an image or video, or about the remembered concepts alone.

    Of several, each is answered by itself as it comes. A file that cannot be read is reported, the others are answered;
    the exit code is then that of the last such file.
    """
    from ego.concept import require_characters

    output, settings = Output(as_json=as_json), resolve(model, library, device)
    require_characters("question", question)
    if images:
        _answer_each(
            images, output, settings, frames, lambda ego, image, say: ego.ask(question, image, names, on_text=say)
        )
    personal = _open(settings, output, frames)
    with output.streaming("looking") as on_text:
        answer = personal.ask(question, None, names, on_text=on_text)
    _finish(output, answer)


def caption(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE", help="Images or videos to describe.", show_default=False, readable=False),
    ],
    *,
    names: NamesOption = None,
    frames: FramesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Describe an image or video in a sentence or a few that call the concepts by name.

    Of several, each is described by itself as it comes. A file that cannot be read is reported, the others are
    described; the exit code is then that of the last such file.
    """
    output, settings = Output(as_json=as_json), resolve(model, library, device)
    _answer_each(images, output, settings, frames, lambda ego, image, say: ego.caption(image, names, on_text=say))


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
    if image is not None:
        require_files([image])
    personal = _open(resolve(model, library, device), output, frames)
    with output.working("looking"):
        conversation = personal.chat(None if image is None else str(image), names)
    raise typer.Exit(_converse(conversation, output))


def _converse(conversation: "Chat | RemoteChat", output: Output) -> int:
    """Answer line by line; a line that cannot be used is reported, and the conversation goes on."""
    code = 0
    while (text := output.ask_line("you: ")) is not None and text.strip() not in FAREWELLS:
        if not text.strip():
            continue
        try:
            with output.streaming("thinking") as on_text:
                answer = conversation.say(text, on_text=on_text)
        except InputError as error:
            output.failure(type(error).__name__, str(error), error.exit_code)
            code = error.exit_code
        else:
            _finish(output, answer)
    return code


def _answer_each(images: list[Path], output: Output, settings: Settings, frames: int | None, say: _Say) -> None:
    """Answer picture after picture.

    Raises:
        Exit: At the end; with the exit code of the last picture that could not be used.
    """
    several = len(images) > 1

    def answered(personal: "Ego | RemoteEgo", image: Path) -> dict[str, Any]:
        with output.streaming(f"looking at {image}", before=f"{image}: " if several else "") as on_text:
            answer = say(personal, str(image), on_text)
        output.people("")
        _note_dropped(output, answer)
        return asdict(answer)

    raise typer.Exit(each_picture(images, output, lambda: _open(settings, output, frames), answered).exit_code)


def _open(settings: Settings, output: Output, frames: int | None) -> "Ego | RemoteEgo":
    """Open what answers; without a concept it answers as well, as any model does."""
    personal = open_answering(settings, output, video_frames=frames)
    if settings.server is None and not count_known(personal):
        output.note(NOTHING_KNOWN)
    return personal


def _finish(output: Output, answer: "Answer") -> None:
    output.result(asdict(answer), "")
    _note_dropped(output, answer)


def _note_dropped(output: Output, answer: "Answer") -> None:
    if answer.dropped:
        output.note(f"left out, for there was not room for all: {', '.join(answer.dropped)}")
