"""A folder of the user's own photos: `<concept>/refs/*` introduces, `<concept>/tests/*` asks; any depth, any case.

Optional at the top: `concepts.json` (`concepts`: id, class, group, description; `natural_multi_concept_images`: image,
concepts) and `questions.json` (`{concept: {image: {question, options?, correct_answer}}}`); other shapes that are read,
too, are in `album_files`. Folders of network stores and archive tools are passed over. What cannot be used is left out,
counted and listed in the notes.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ego.concept import clean_name
from ego.errors import ConceptNameError, DatasetError
from ego.evaluation.datasets.album_files import QUESTIONS, AlbumFacts, read_facts, read_questions
from ego.evaluation.datasets.entries import ConceptFacts, spelling_key
from ego.evaluation.datasets.left_out import LeftOut
from ego.evaluation.datasets.places import Places, concept_named, concept_of_picture
from ego.evaluation.datasets.samples import captions, every_image_against_every_concept, questions
from ego.evaluation.datasets.tree import images_in, is_text, readable_listing, relative, require
from ego.evaluation.manifest import ChoiceSample, Manifest, OpenSample, Subject
from ego.photo_files import folders_below

HOW_TO_GET = "Make one folder per concept, with refs/ (photos that introduce it) and tests/ (photos to ask about)"


_NO_TEXT = "files and folders whose names are not UTF-8"


@dataclass(frozen=True)
class _Photos:
    """The photos of one concept, relative to the album."""

    references: tuple[str, ...]
    tests: tuple[str, ...]


def load(folder: Path) -> Manifest:
    """Read the folder.

    Raises:
        DatasetError: If no concept has references.
    """
    root, left_out = require(folder, HOW_TO_GET), LeftOut()
    album = dict(_album(root, left_out))
    if not album:
        seen = "".join(f" ({note})" for note in left_out.notes)
        raise DatasetError(f"no <concept>/refs with photos below {root}{seen}. {HOW_TO_GET}")
    keys, facts = list(album), read_facts(root, left_out)
    about = {key: one for one in facts.concepts if (key := _known(one.id, keys, left_out)) is not None}
    subjects = tuple(_subject(key, root, album[key], about.get(key), keys) for key in keys)
    places = Places(root, [path for photos in album.values() for path in (*photos.references, *photos.tests)])
    present_in = _present_in(album, facts, places, left_out)
    asked = tuple(_questions(root, keys, places, left_out))
    samples = (*every_image_against_every_concept(present_in, keys), *captions(present_in), *asked)
    return Manifest(dataset=root.name, root=str(root), subjects=subjects, samples=samples, notes=left_out.notes)


def _album(root: Path, left_out: LeftOut) -> Iterator[tuple[str, _Photos]]:
    """Find every concept: a folder with references in it."""
    for folder, names in folders_below(root):
        references = [name for name in names if name.casefold() == "refs"]
        if not references:
            continue
        key = relative(folder, root)
        if not is_text(folder):
            left_out.add(_NO_TEXT, key)
            continue
        tests = [name for name in names if name.casefold() == "tests"]
        photos = _Photos(_photos(folder, references, root, left_out), _photos(folder, tests, root, left_out))
        if problem := "" if photos.references else "no reference image":
            left_out.add(f"concepts with {problem}", key)
        elif problem := _name_problem(_name(key, root, [key])):
            left_out.add("concepts whose folder cannot be a name", f"{key} ({problem})")
        else:
            yield key, photos


def _photos(folder: Path, names: list[str], root: Path, left_out: LeftOut) -> tuple[str, ...]:
    for name in names:
        found = readable_listing(folder / name)
        for path in (*found.videos, *found.others):
            left_out.add("files that are no photos by their names", relative(path, root))
    images = [image for name in names for image in images_in(folder / name)]
    for image in images:
        if not is_text(image):
            left_out.add(_NO_TEXT, relative(image, root))
    return tuple(relative(image, root) for image in images if is_text(image))


def _known(name: str, keys: list[str], left_out: LeftOut) -> str | None:
    key = concept_named(name, keys)
    if key is None:
        left_out.add("concepts that have no folder", name)
    return key


def _subject(key: str, root: Path, photos: _Photos, facts: ConceptFacts | None, keys: list[str]) -> Subject:
    return Subject(
        key=key,
        name=_name(key, root, keys),
        references=photos.references,
        category=facts.category if facts else "",
        group=facts.group if facts else "",
        info=facts.description if facts else "",
    )


def _name(key: str, root: Path, keys: list[str]) -> str:
    """Take the folder's own name, with its parents' where two concepts share it."""
    own = spelling_key(key).rsplit("/", 1)[-1]
    same = Counter(spelling_key(other).rsplit("/", 1)[-1] for other in keys)[own]
    words = root.resolve().name if key == "." else key if same > 1 else key.rsplit("/", 1)[-1]
    return words.replace("/", " ").replace("_", " ").strip()


def _name_problem(name: str) -> str:
    try:
        clean_name(name)
    except ConceptNameError as error:
        return str(error)
    return ""


def _present_in(
    album: dict[str, _Photos], facts: AlbumFacts, places: Places, left_out: LeftOut
) -> dict[str, tuple[str, ...]]:
    present: dict[str, tuple[str, ...]] = {image: (key,) for key, photos in album.items() for image in photos.tests}
    for shared in facts.shared:
        image = places.find(shared.image)
        if image not in present:
            left_out.add("pictures of several concepts that are in no tests folder", shared.image)
            continue
        named = {_known(name, list(album), left_out) for name in shared.concepts}
        present[image] = tuple(key for key in album if key in named or key in present[image])
    return present


def _questions(root: Path, keys: list[str], places: Places, left_out: LeftOut) -> Iterator[ChoiceSample | OpenSample]:
    numbers: Counter[str] = Counter()
    for asked in read_questions(root, left_out):
        named = None if asked.concept is None else concept_named(asked.concept, keys)
        image = places.find(asked.image, named)
        key = named if asked.concept is not None else concept_of_picture(image or "", keys)
        if image is None:
            left_out.add(f"questions of {QUESTIONS} whose picture is missing", asked.image)
        elif key is None:
            left_out.add(f"questions of {QUESTIONS} about a concept that has no folder", str(asked.concept or image))
        else:
            name = f"{key}/{image}"
            numbers[name] += 1
            if numbers[name] > 1:
                name = f"{name}/{numbers[name]}"
            yield from questions(asked.entry, name, key, pictures=(image,), known=(key,), left_out=left_out)
