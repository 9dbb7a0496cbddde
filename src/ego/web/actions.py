"""What the page does, as plain functions: paths and words in, pictures and rows out. No web framework in here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from PIL import Image, ImageDraw, ImageFont

from ego.chat import Chat
from ego.concept import Concept, Region
from ego.errors import EgoError, InputError
from ego.explain import heatmap
from ego.footage import query_frames, reference_images
from ego.heat_picture import draw_heat
from ego.memory import ConceptMemory
from ego.personalizer import Ego
from ego.pointing import Pointing
from ego.results import Recognition

Corners = tuple[int, int, int, int]


@dataclass(frozen=True)
class Looked:
    """What was found in a picture or clip.

    Attributes:
        picture: What is shown: the picture, or the frame in which most was seen.
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
            _mark(picture, _corners(place.box, *picture.size), f"{place.name} {self._how_sure(place.name)}")
        return picture

    def heat(self, name: str) -> Image.Image:
        """Draw where the model looked for a concept."""
        place = next((place for place in self.places if place.name == name), None)
        if place is None:
            raise InputError(f"{name} was not found in this picture; there is nothing to show")
        return draw_heat(self.picture, place.boxes, place.heat, outlined=[place.box], title=f"Where {name} was seen")

    def _how_sure(self, name: str) -> str:
        return next(f"{one.probability:.2f}" for one in self.found if one.name == name)


def look(personal: Ego, path: str) -> Looked:
    """Say who is in a picture or clip, and where."""
    found = sorted(personal.recognize(path).values(), key=lambda one: -one.probability)
    picture = _shown(personal, path, found)
    there = [one.name for one in found if one.present]
    places: tuple[Pointing, ...] = ()
    if there and personal.backbone.card.has_geometry:
        places = tuple(pointings[0] for pointings in personal.where(picture, there).values())
    return Looked(picture, tuple(found), places)


def introduce(
    personal: Ego, name: str, paths: Sequence[str], *, keywords: str = "", region: Region | None = None, photo: int = 0
) -> tuple[ConceptMemory, list[Image.Image]]:
    """Remember a thing, anew if it is known, and draw what was kept of each photo.

    Args:
        personal: The model with the library.
        name: What it is called.
        paths: Photos, or a clip.
        keywords: The user's words in place of the model's.
        region: Where it is in one of the photos.
        photo: Which one, counted from 0.
    """
    regions = [region if number == photo else None for number in range(len(paths))] if region else []
    concept = Concept(name, list(paths), keywords=keywords, regions=regions)
    memory = personal.introduce(concept, replace=True)
    pictures = [
        image.picture for path in paths for image in reference_images(path, personal.config.introduction_frames)
    ]
    drawn = [
        heatmap(memory, picture, view=number) for number, picture in enumerate(pictures) if memory.views[number].boxes
    ]
    return memory, drawn or pictures


def described(memory: ConceptMemory) -> str:
    """Tell in Markdown what the model said about each photo of a thing."""
    lines = [f"**{_plain(memory.name)}** is remembered in {len(memory.tokens)} visual tokens."]
    for number, view in enumerate(memory.views, start=1):
        area = "" if view.area_percent is None else f" It covers {view.area_percent:.0f} % of the photo."
        said = _plain(view.description) or "Chosen by your box."
        lines.append(f"{number}. {said}{area} Kept: {len(view.kept)} of {view.candidates}.")
    return "\n\n".join(lines)


def region_between(one: tuple[int, int], other: tuple[int, int]) -> Region:
    """Make a box of two opposite corners, in pixels of the photo."""
    left, right = sorted((one[0], other[0]))
    top, bottom = sorted((one[1], other[1]))
    if right - left < 2 or bottom - top < 2:
        raise InputError("the two corners are too close; click two opposite corners of the thing")
    return Region(box=(left, top, right, bottom))


def stream(conversation: Chat, question: str) -> Iterator[str]:
    """Yield an answer as it grows, from the first piece to the whole."""
    pieces: SimpleQueue[str | EgoError | None] = SimpleQueue()

    def say() -> None:
        try:
            conversation.say(question, on_text=pieces.put)
        except EgoError as error:
            pieces.put(error)
        finally:
            pieces.put(None)

    Thread(target=say, daemon=True).start()
    text = ""
    while (piece := pieces.get()) is not None:
        if isinstance(piece, EgoError):
            raise piece
        text += piece
        yield text
    yield text or "…"


def saved(memory: ConceptMemory, personal: Ego, folder: Path) -> Path:
    """Write a thing to a file that can be passed on."""
    target = folder / f"{memory.identity}.ego"
    personal.store.export(memory.name, target, replace=True)
    return target


def _shown(personal: Ego, path: str, found: Sequence[Recognition]) -> Image.Image:
    """Choose what stands for a clip: the first frame in which the surest concept was seen."""
    frames = query_frames(path, personal.config.video_frames)
    moments = next((one.seen_at for one in found if one.seen_at), ())
    return next((frame.picture for frame in frames if frame.seconds in moments), frames[0].picture)


def _corners(box: tuple[float, float, float, float], width: int, height: int) -> Corners:
    left, top, right, bottom = box
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def _plain(text: str) -> str:
    """Keep Markdown and HTML of a name or a description from meaning anything."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()#+-.!|<>&~$" else letter for letter in text)


def _mark(picture: Image.Image, corners: Corners, label: str) -> None:
    """Outline a box in white on black, which shows on any picture, and write its name on black."""
    draw, wide = ImageDraw.Draw(picture), max(2, min(picture.size) // 150)
    left, top, right, bottom = corners
    draw.rectangle((left, top, right, bottom), outline="black", width=3 * wide)
    inner = (left + wide, top + wide, right - wide, bottom - wide)
    if inner[0] < inner[2] and inner[1] < inner[3]:
        draw.rectangle(inner, outline="white", width=wide)
    font = ImageFont.load_default(max(12, min(picture.size) // 20))
    below = draw.textbbox((left, top), label, font=font)
    draw.rectangle((below[0] - 4, below[1] - 4, below[2] + 4, below[3] + 4), fill="black")
    draw.text((left, top), label, fill="white", font=font)
