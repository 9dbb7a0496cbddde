"""What the page does, as plain functions: paths and words in, pictures and rows out. No web framework in here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from PIL import Image

from ego.chat import Chat
from ego.concept import Concept, ImageSource, Region
from ego.errors import InputError
from ego.explain import heatmap
from ego.footage import query_frames, reference_images
from ego.heat_picture import draw_heat
from ego.memory import ConceptMemory
from ego.personalizer import Ego
from ego.results import Answer, Pointing, Recognition
from ego.web.marking import mark

SHOWN_SIDE = 1280  # pixels of the longest side of what is sent to the page
Pictured = tuple[Image.Image, str]  # with what is said below it
Saying = Callable[[Callable[[], Answer]], Answer]


@dataclass(frozen=True)
class Looked:
    """What was found in a picture or clip.

    Attributes:
        picture: What is shown: the picture, or the frame in which most was seen; no larger than a page needs.
        found: Every concept, the surest first.
        places: Where the concepts that are there were seen; nothing for models of unknown geometry.
    """

    picture: Image.Image
    found: tuple[Recognition, ...]
    places: tuple[Pointing, ...]

    @property
    def marked(self) -> Image.Image:
        """Draw a box with its name around everything that was seen."""
        picture = self.picture.copy()
        for place in self.places:
            mark(picture, place.box, f"{place.name} {self._how_sure(place.name)}")
        return picture

    def heat(self, name: str) -> Image.Image:
        """Draw where the model looked for a concept.

        Raises:
            InputError: If it was not found, or its place is not known.
        """
        place = next((place for place in self.places if place.name == name), None)
        if place is None:
            raise InputError(f"{name} was not found in this picture; there is nothing to show")
        return draw_heat(self.picture, place.boxes, place.heat, outlined=[place.box], title=f"Where {name} was seen")

    def _how_sure(self, name: str) -> str:
        return next(f"{one.probability:.2f}" for one in self.found if one.name == name)


def look(personal: Ego, path: str) -> Looked:
    """Say who is in a picture or clip, and where."""
    found = sorted(personal.recognize(path).values(), key=lambda one: -one.probability)
    picture = _frame(personal, path, found)
    there = [one.name for one in found if one.present]
    places: tuple[Pointing, ...] = ()
    if there and personal.backbone.card.has_geometry:
        places = tuple(pointings[0] for pointings in personal.where(picture, there).values())
    return Looked(shown(picture), tuple(found), places)


def introduce(
    personal: Ego,
    name: str,
    sources: Sequence[ImageSource],
    *,
    keywords: str = "",
    region: Region | None = None,
    photo: int = 0,
) -> tuple[ConceptMemory, list[Pictured]]:
    """Remember a thing, anew if it is known, and draw each photo and, beside it, what was kept of it.

    Args:
        personal: The model with the library.
        name: What it is called.
        sources: Photos, or a clip.
        keywords: The user's words in place of the model's.
        region: Where it is in one of the photos.
        photo: Which one, counted from 0.
    """
    regions = [region if number == photo else None for number in range(len(sources))] if region else []
    memory = personal.introduce(Concept(name, list(sources), keywords=keywords, regions=regions), replace=True)
    return memory, list(_pairs(personal, memory, sources))


def add_photos(
    personal: Ego, name: str, sources: Sequence[ImageSource], *, keywords: str = ""
) -> tuple[ConceptMemory, list[Pictured]]:
    """Add photos, or a clip, to what is remembered of a thing; arguments and result as for `introduce`."""
    memory = personal.add_view(name, list(sources), keywords=keywords)
    return memory, list(_pairs(personal, memory, sources))


def single(personal: Ego, paths: Sequence[str]) -> list[ImageSource]:
    """Take clips apart into their frames, so that each can be corrected; photos stay files."""
    frames = personal.config.introduction_frames
    sources: list[ImageSource] = []
    for path in paths:
        images = reference_images(path, frames)
        sources += [path] if len(images) == 1 else [image.picture for image in images]
    return sources


def shown(picture: Image.Image) -> Image.Image:
    """Make a picture no larger than a page needs."""
    small = picture.copy()
    small.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    return small


def described(memory: ConceptMemory) -> str:
    """Tell in Markdown what the model said about each photo of a thing."""
    lines = [f"**{plain(memory.name)}** is remembered in {len(memory.tokens)} visual tokens."]
    for number, view in enumerate(memory.views, start=1):
        area = "" if view.area_percent is None else f" It covers {view.area_percent:.0f} % of the photo."
        said = plain(view.description) or "Chosen by your box."
        lines.append(f"{number}. {said}{area} Kept: {len(view.kept)} of {view.candidates}.")
    return "\n\n".join(lines)


def region_of(text: str, size: tuple[int, int]) -> Region:
    """Read a box: left, top, right, bottom in pixels of the photo.

    Raises:
        InputError: If it is none, or not inside the photo.
    """
    try:
        left, top, right, bottom = (float(number) for number in text.replace(",", " ").split())
    except ValueError as error:
        raise InputError(
            f"{text!r} is no box; click two opposite corners of the thing, or write left, top, right, bottom in pixels"
        ) from error
    if right - left < 2 or bottom - top < 2:
        raise InputError("the box is too small; click two opposite corners of the thing")
    if left < 0 or top < 0 or right > size[0] or bottom > size[1]:
        raise InputError(f"the box {text} is not inside the photo, which has {size[0]} x {size[1]} pixels")
    return Region(box=(left, top, right, bottom))


def box_between(one: tuple[int, int], other: tuple[int, int], scale: float) -> str:
    """Write the box of two opposite corners, in pixels of the photo.

    Args:
        one: A corner, in pixels of what is shown.
        other: The opposite one.
        scale: Pixels of the photo for one that is shown.
    """
    left, right = sorted((one[0], other[0]))
    top, bottom = sorted((one[1], other[1]))
    return ", ".join(str(round(scale * side)) for side in (left, top, right, bottom))


def stream(conversation: Chat, question: str, saying: Saying = lambda say: say()) -> Iterator[str]:
    """Yield an answer as it grows, from the first piece to the whole.

    Args:
        conversation: What was said before.
        question: What is said now.
        saying: Called with what asks the model.
    """
    pieces: SimpleQueue[str | Exception | None] = SimpleQueue()

    def say() -> None:
        try:
            saying(lambda: conversation.say(question, on_text=pieces.put))
        except Exception as error:  # raised again where the pieces are read
            pieces.put(error)
        finally:
            pieces.put(None)

    Thread(target=say, daemon=True).start()
    text = ""
    while (piece := pieces.get()) is not None:
        if isinstance(piece, Exception):
            raise piece
        text += piece
        yield text
    yield text or "…"


def saved(memory: ConceptMemory, personal: Ego, folder: Path) -> Path:
    """Write a thing to a file that can be passed on."""
    target = folder / f"{memory.identity}.ego"
    personal.store.export(memory.name, target, replace=True)
    return target


def plain(text: str) -> str:
    """Keep Markdown and HTML of a name or a description from meaning anything."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()#+-.!|<>&~$" else letter for letter in text)


def _pairs(personal: Ego, memory: ConceptMemory, sources: Sequence[ImageSource]) -> Iterator[Pictured]:
    """Find the picture of every view: of one that was given twice there is one view only."""
    frames = personal.config.introduction_frames
    pictures = {image.digest: image.picture for source in sources for image in reference_images(source, frames)}
    for number, view in enumerate(memory.views):
        picture = pictures.get(view.image)
        if picture is None:  # remembered from before
            continue
        yield shown(picture), f"Photo {number + 1}"
        if view.boxes:
            yield heatmap(memory, picture, view=number), f"What was kept of photo {number + 1}"


def _frame(personal: Ego, path: str, found: Sequence[Recognition]) -> Image.Image:
    """Choose what stands for a clip: the first frame in which the surest concept was seen."""
    frames = query_frames(path, personal.config.video_frames)
    moments = next((one.seen_at for one in found if one.seen_at), ())
    return next((frame.picture for frame in frames if frame.seconds in moments), frames[0].picture)
