"""The user's own photos, a folder per thing -> a demonstration: one photo of each introduces it, the others are asked.

Only what the folders say is known: a photo shows the thing of its folder. That it shows no other one is likely, and
counted apart.
"""

from pathlib import Path

from ego.concept import clean_name
from ego.demo.pictures import DemoConcept, DemoPictures, DemoScene
from ego.errors import ConceptNameError, ImageError, InputError
from ego.media import read_image
from ego.photo_files import is_passed_over, listing, natural_order

MOST_THINGS = 8
MOST_PHOTOS = 4  # asked about each thing: a row of the contact sheet
HOW = "make one folder per thing, named like it, with two photos or more in each"


def own_album(folder: Path) -> DemoPictures:
    """Take the photos of a folder of folders.

    Raises:
        InputError: If there is no thing with a photo to introduce it and another to ask about.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; {HOW}")
    notes: list[str] = []
    things = {name: photos for path in _folders(folder) if (photos := _photos(path, notes)) and (name := _name(path))}
    usable = {name: photos for name, photos in things.items() if len(photos) > 1}
    notes += [f"{name}: only one photo, so none to ask about" for name in things if name not in usable]
    if not usable:
        raise InputError(f"no folder in {folder} has two photos that can be read; {HOW}")
    shown = dict(list(usable.items())[:MOST_THINGS])
    if len(usable) > len(shown):
        notes.append(f"the first {MOST_THINGS} of {len(usable)} things are shown")
    return DemoPictures(
        origin="your photos",
        concepts=tuple(DemoConcept(name=name, category="", references=(str(of[0]),)) for name, of in shown.items()),
        scenes=tuple(_scene(name, photo) for name, photos in shown.items() for photo in _spread(photos[1:])),
        folder=folder.resolve(),
        notes=tuple(notes),
    )


def _folders(folder: Path) -> list[Path]:
    try:
        inside = [path for path in folder.iterdir() if path.is_dir() and not is_passed_over(path.name)]
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}); check its permissions") from error
    return sorted(inside, key=lambda path: natural_order(path.name))


def _photos(folder: Path, notes: list[str]) -> list[Path]:
    """List the photos that can be read; a folder per thing may hold refs/ and tests/ of an album, too."""
    try:
        places = [folder, *sorted(path for path in folder.iterdir() if path.name.casefold() in {"refs", "tests"})]
        found = [path.resolve() for place in places if place.is_dir() for path in listing(place).images]
    except OSError as error:
        notes.append(f"{folder.name}: cannot be read ({error.strerror})")
        return []
    return [path for path in found if _readable(path, notes)]


def _readable(path: Path, notes: list[str]) -> bool:
    try:
        read_image(path)
    except ImageError as error:
        notes.append(f"left out: {error}")
        return False
    return True


def _name(folder: Path) -> str:
    try:
        return clean_name(folder.name.replace("_", " "))
    except ConceptNameError as error:
        raise InputError(f"{folder} cannot be the name of a thing: {error}") from error


def _spread(photos: list[Path]) -> list[Path]:
    """Take some of many photos, evenly spread."""
    count = min(len(photos), MOST_PHOTOS)
    return [photos[(2 * number + 1) * len(photos) // (2 * count)] for number in range(count)]


def _scene(name: str, photo: Path) -> DemoScene:
    return DemoScene(file=str(photo), note=f"a photo of {name}", present=(name,), complete=False)
