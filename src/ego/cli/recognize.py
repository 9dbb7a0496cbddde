"""`ego recognize`: who is in each of some pictures, how sure that is, when, and if wanted where."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ego.cli.opening import NOTHING_KNOWN, count_known, open_answering, open_store
from ego.cli.options import DeviceOption, FramesOption, JsonLinesOption, LibraryOption, ModelOption, NamesOption
from ego.cli.output import Output
from ego.cli.paths import require_new_folder, written
from ego.cli.pictures import each_picture
from ego.cli.settings import Settings, resolve
from ego.errors import UnknownConceptError

if TYPE_CHECKING:
    from PIL.Image import Image

    from ego.client.remote import RemoteEgo
    from ego.personalizer import Ego
    from ego.results import Place, Recognition

_WHERE = "Where"
Places = Mapping[str, "tuple[Place, ...]"]


def recognize(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE",
            help="Images or videos to look at.",
            show_default=False,
            readable=False,  # else one unreadable file would cost the others
        ),
    ],
    *,
    names: NamesOption = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Probability from which a concept counts as present.", show_default="0.5"),
    ] = None,
    where: Annotated[
        bool,
        typer.Option(
            "--where",
            help="Say where each concept was seen: a box, as shares of the picture's sides.",
            rich_help_panel=_WHERE,
        ),
    ] = False,
    heatmaps: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Draw where each concept was seen, a PNG for each, into a new or empty folder; implies --where.",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    frames: FramesOption = None,
    model: ModelOption = None,
    library: LibraryOption = None,
    device: DeviceOption = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Say which remembered concepts are in an image or video, how sure that is, and of a video also when.

    Of several, each is answered in a line as it comes. A file that cannot be read is reported, the others are answered;
    the exit code is then that of the last such file.
    """
    output, settings = Output(as_json=as_json), resolve(model, library, device)
    if heatmaps is not None:
        require_new_folder(heatmaps, option="--heatmaps")
    show = _Show(output, len(images) == 1, names, threshold, where or heatmaps is not None, heatmaps)
    ended = each_picture(images, output, lambda: _open_knowing(settings, output, frames), show)
    if len(images) > 1:
        output.people(show.summary(len(images), ended.failed))
    raise typer.Exit(ended.exit_code)


class _Show:
    """Answers a picture, says so, and counts."""

    def __init__(
        self,
        output: Output,
        alone: bool,
        names: Sequence[str] | None,
        threshold: float | None,
        where: bool,
        heatmaps: Path | None,
    ) -> None:
        self._output, self._alone, self._names, self._threshold = output, alone, names, threshold
        self.where, self._heatmaps = where, heatmaps
        self._found: Counter[str] = Counter()
        self._nobody = self._drawn = 0

    def __call__(self, personal: "Ego | RemoteEgo", image: Path) -> dict[str, Any]:
        with self._output.working(f"looking at {image}"):
            seen = list(personal.recognize(str(image), self._names, threshold=self._threshold).values())
            places = _places(personal, image, seen) if self.where else {}
            drawn = self._draw(personal, image, places)
        present = [one.name for one in seen if one.present]
        self._found.update(present)
        self._nobody += not present
        if self._alone:
            self._output.people(str(image), _table(seen, places))
        else:
            self._output.people(f"{image}: {_line(seen, places)}")
        return {"concepts": [_document(one, places, drawn, told=self.where) for one in seen]}

    def summary(self, pictures: int, failed: int) -> str:
        """Count in how many pictures each concept is."""
        parts = [f"{name} in {count}" for name, count in self._found.most_common()]
        parts += [f"nothing in {self._nobody}"] if self._nobody else []
        parts += [f"{failed} left out"] if failed else []
        return f"{pictures} pictures: {', '.join(parts)}"

    def _draw(self, personal: "Ego | RemoteEgo", image: Path, places: Places) -> dict[str, list[str]]:
        """Draw the heat-map of every place; the files are numbered, so that names never decide where they are."""
        if self._heatmaps is None or not places:
            return {}
        from ego.heat_picture import draw_heat

        pictures = _pictures(personal, image)
        drawn: dict[str, list[str]] = {}
        for name, found in places.items():
            for place in found:
                self._drawn += 1
                pointing, target = place.pointing, BytesIO()
                draw_heat(
                    pictures[place.seconds],
                    pointing.boxes,
                    pointing.heat,
                    outlined=[pointing.box],
                    title=f"Where {name} was seen",
                ).save(target, "PNG")
                file = self._heatmaps / f"{self._drawn:04}-{_plain(image.stem)}-{_plain(name)}.png"
                drawn.setdefault(name, []).append(str(written(file, target.getvalue())))
        return drawn


def _open_knowing(settings: Settings, output: Output, frames: int | None) -> "Ego | RemoteEgo":
    """Open what recognizes.

    Raises:
        UnknownConceptError: If there is nothing to recognize.
    """
    if settings.server is None and not open_store(settings).folder.is_dir():
        raise UnknownConceptError(NOTHING_KNOWN)
    personal = open_answering(settings, output, video_frames=frames)
    if not count_known(personal):
        raise UnknownConceptError(NOTHING_KNOWN)
    return personal


def _places(personal: "Ego | RemoteEgo", image: Path, seen: "list[Recognition]") -> Places:
    from ego.client.remote import RemoteEgo

    if isinstance(personal, RemoteEgo):
        return personal.places(str(image), seen)
    from ego.places import places

    return places(personal, str(image), seen)


def _pictures(personal: "Ego | RemoteEgo", image: Path) -> "dict[float | None, Image]":
    """Read what was looked at, by its seconds, as whoever looked has read it."""
    from ego.client.remote import RemoteEgo
    from ego.footage import query_frames

    count = personal.model["video_frames"] if isinstance(personal, RemoteEgo) else personal.config.video_frames
    return {frame.seconds: frame.picture for frame in query_frames(str(image), count)}


def _document(one: "Recognition", places: Places, drawn: Mapping[str, list[str]], *, told: bool) -> dict[str, Any]:
    document = asdict(one)
    if told:
        document["where"] = [
            {"box": place.pointing.box, "peak": place.pointing.peak, "seconds": place.seconds}
            for place in places.get(one.name, ())
        ]
    if one.name in drawn:
        document["heatmaps"] = drawn[one.name]
    return document


def _line(seen: "list[Recognition]", places: Places) -> str:
    there = sorted((one for one in seen if one.present), key=lambda one: -one.probability)
    told = ", ".join(" ".join(filter(None, (one.name, _sure(one), _when(one, places)))) for one in there)
    not_asked = sum(one.said == "not asked" for one in seen)
    return (told or "nobody") + (f" ({not_asked} not asked)" if not_asked else "")


def _table(seen: "list[Recognition]", places: Places) -> Table:
    in_time = any(one.seen_at for one in seen)
    heading = " ".join([*(["seen at"] if in_time else []), *(["[left top right bottom]"] if places else [])])
    table = Table("concept", "in the image", "probability", *([heading] if heading else []))
    for one in seen:
        table.add_row(one.name, "yes" if one.present else "no", _sure(one), *([_when(one, places)] if heading else []))
    return table


def _when(one: "Recognition", places: Places) -> str:
    """Say at which moments of a clip it was seen, and where, as far as that is known."""
    boxes = [f"[{' '.join(f'{side:.2f}' for side in place.pointing.box)}]" for place in places.get(one.name, ())]
    moments = [f"{int(moment // 60)}:{moment % 60:04.1f}" for moment in one.seen_at]
    return ", ".join(" ".join(filter(None, pair)) for pair in zip_longest(moments, boxes))


def _sure(one: "Recognition") -> str:
    return "not asked" if one.said == "not asked" else f"{one.probability:.2f}"


def _plain(text: str) -> str:
    """Keep what any file system takes."""
    return "".join(letter if letter.isalnum() else "-" for letter in text)[:40]
