"""What a demonstration looks at: concepts with reference photos, and scenes with or without known contents."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ego.concept import clean_name
from ego.errors import InputError


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DemoConcept(_Value):
    """A concept and its reference photos (paths relative to the folder)."""

    name: str
    category: str
    references: tuple[str, ...]


class DemoQuestion(_Value):
    """A question about a scene; the right answer holds the word `answer`."""

    question: str
    answer: str


class DemoScene(_Value):
    """A picture to look at.

    Attributes:
        file: Path relative to the folder.
        note: What a reader should know about it.
        present: Names of the concepts in it; None when nobody said (the user's own photos).
        complete: Whether these are all; if not, the others are only likely to be absent.
        questions: Questions about it.
    """

    file: str
    note: str
    present: tuple[str, ...] | None
    complete: bool = True
    questions: tuple[DemoQuestion, ...] = ()


class DemoClip(_Value):
    """A clip to look at.

    Attributes:
        file: Path relative to the folder.
        note: What a reader should know about it.
        present: For each concept in it, from which second to which.
    """

    file: str
    note: str
    present: dict[str, tuple[float, float]]


class DemoPictures(_Value):
    """All of it, in one folder.

    Attributes:
        origin: Where it comes from.
        concepts: What is introduced.
        scenes: Pictures to look at.
        clips: Clips to look at.
        folder: What all paths are relative to.
        notes: What was left out.
    """

    origin: str
    concepts: tuple[DemoConcept, ...]
    scenes: tuple[DemoScene, ...]
    clips: tuple[DemoClip, ...] = ()
    folder: Path
    notes: tuple[str, ...] = ()


def shipped_pictures() -> DemoPictures:
    """Read the pictures of the package."""
    folder = Path(str(files("ego.demo") / "pictures"))
    content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return DemoPictures.model_validate({**content, "folder": folder})


def own_pictures(name: str, photos: Sequence[Path], tests: Sequence[Path]) -> DemoPictures:
    """Take the user's photos of one concept, and pictures in which to look for it.

    Raises:
        InputError: If photos or tests are missing.
    """
    if not photos or not tests:
        raise InputError("give at least one --photo of the concept and one --test picture to look for it")
    concept = DemoConcept(name=clean_name(name), category="", references=tuple(str(path.resolve()) for path in photos))
    scenes = tuple(DemoScene(file=str(path.resolve()), note=path.name, present=None) for path in tests)
    return DemoPictures(origin="your photos", concepts=(concept,), scenes=scenes, folder=Path.cwd())
