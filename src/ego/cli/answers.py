"""`ego recognize | ask | caption | chat`: look at an image with the remembered concepts in mind."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ego.cli.opening import NOTHING_KNOWN, open_answering, open_store
from ego.cli.options import DeviceOption, FramesOption, JsonOption, LibraryOption, ModelOption, NamesOption
from ego.cli.output import Output
from ego.cli.paths import problem_with, require_files
from ego.cli.settings import Settings, resolve
from ego.concept import require_characters
from ego.errors import ImageError, InputError, UnknownConceptError, VideoError

if TYPE_CHECKING:
    from ego.chat import Chat
    from ego.client.remote import RemoteChat, RemoteEgo
    from ego.personalizer import Ego
    from ego.results import Answer, Recognition

FAREWELLS = {"/exit", "/quit"}

ImagesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="IMAGE",
        help="Images or videos to look at.",
        show_default=False,
        readable=False,  # else one unreadable file would cost the others
    ),
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
    """Say which remembered concepts are in an image or video, how sure that is, and of a video also when.

    A file that cannot be read is reported, the others are answered; the exit code is then that of the last such file.
    """
    output, settings = Output(as_json=as_json), resolve(model, library, device)
    problems = {image: problem_with(image) for image in images}
    personal = _open_knowing(settings, output, frames) if not all(problems.values()) else None
    documents: list[dict[str, Any]] = []
    failure = 0
    for image in images:
        try:
            if (problem := problems[image]) or personal is None:
                raise problem or ImageError(f"{image} was not looked at")
            with output.working(f"looking at {image}"):
                seen = list(personal.recognize(str(image), names, threshold=threshold).values())
        except (ImageError, VideoError) as error:
            documents.append({"image": str(image), "error": str(error)})
            output.warn(error)
            failure = error.exit_code
        else:
            documents.append({"image": str(image), "concepts": [asdict(one) for one in seen]})
            output.people(str(image), _table(seen))
    output.result(documents, *_summary(documents))
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
    require_characters("question", question)
    personal = _open(resolve(model, library, device), output, frames, image)
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
    personal = _open(resolve(model, library, device), output, frames, image)
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
    personal = _open(resolve(model, library, device), output, frames, image)
    with output.working("looking"):
        conversation = personal.chat(_source(image), names)
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


def _open(settings: Settings, output: Output, frames: int | None, image: Path | None) -> "Ego | RemoteEgo":
    """Open what answers; without a concept it answers as well, as any model does."""
    if image is not None:
        require_files([image])
    personal = open_answering(settings, output, video_frames=frames)
    if settings.server is None and not personal.memories:
        output.note(NOTHING_KNOWN)
    return personal


def _open_knowing(settings: Settings, output: Output, frames: int | None) -> "Ego | RemoteEgo":
    """Open what recognizes.

    Raises:
        UnknownConceptError: If there is nothing to recognize.
    """
    if settings.server is None and not open_store(settings).folder.is_dir():
        raise UnknownConceptError(NOTHING_KNOWN)
    personal = open_answering(settings, output, video_frames=frames)
    if not personal.memories:
        raise UnknownConceptError(NOTHING_KNOWN)
    return personal


def _summary(documents: list[dict[str, Any]]) -> list[str]:
    """Count, where there is more than one picture, in how many each concept is."""
    if len(documents) < 2:
        return []
    seen = [[one["name"] for one in document.get("concepts", ()) if one["present"]] for document in documents]
    found = Counter(name for names in seen for name in names)
    listed = [f"{name} in {count}" for name, count in found.most_common()]
    nothing = sum(not names and "concepts" in document for names, document in zip(seen, documents, strict=True))
    failed = sum("error" in document for document in documents)
    parts = [*listed, *([f"nothing in {nothing}"] if nothing else []), *([f"{failed} left out"] if failed else [])]
    return [f"{len(documents)} pictures: {', '.join(parts)}"]


def _source(image: Path | None) -> str | None:
    return None if image is None else str(image)


def _finish(output: Output, answer: "Answer") -> None:
    output.result(asdict(answer), "")
    if answer.dropped:
        output.note(f"left out, for there was not room for all: {', '.join(answer.dropped)}")


def _table(seen: "list[Recognition]") -> Table:
    in_time = any(one.seen_at for one in seen)
    table = Table("concept", "in the image", "probability", *(["seen at"] if in_time else []))
    for one in seen:
        when = [", ".join(_clock(seconds) for seconds in one.seen_at)] if in_time else []
        table.add_row(one.name, "yes" if one.present else "no", _probability(one), *when)
    return table


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _probability(one: "Recognition") -> str:
    return "not asked" if one.said == "not asked" else f"{one.probability:.2f}"
