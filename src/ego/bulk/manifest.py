"""A manifest of concepts: one JSON object a line.

    {"name": "Bo", "images": ["bo-1.jpg", "bo-2.jpg"], "category": "dog"}
    {"name": "mug", "images": ["mug.jpg"], "boxes": [[40, 60, 210, 300]]}

Paths are relative to the manifest. Every line is checked before any work begins.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ego.concept import clean_name, name_key
from ego.errors import ConceptNameError, InputError
from ego.limits import LISTED_BYTES
from ego.photo_files import in_either_form, is_file
from ego.text_file import read_text

_Box = tuple[float, float, float, float]
_Words = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


class ConceptLine(BaseModel):
    """One concept to introduce.

    Attributes:
        name: What the user calls it.
        images: Its photos.
        category: What it is.
        notes: Free text.
        keywords: Words that replace the model's description.
        boxes: One box per image, left top right bottom in pixels; null for an image without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    images: Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)]
    category: _Words = ""
    notes: _Words = ""
    keywords: _Words = ""
    boxes: tuple[_Box | None, ...] = ()

    def key(self, model: str) -> str:
        """Tell this line, for this model, from all others."""
        return hashlib.sha256(f"{model}\n{self.model_dump_json()}".encode()).hexdigest()


def read_concepts(path: Path, on_problem: Callable[[InputError], None] | None = None) -> tuple[ConceptLine, ...]:
    """Read a manifest.

    Args:
        path: The file.
        on_problem: Called for each line that cannot be used, which is then left out; None raises its error.

    Raises:
        InputError: If it cannot be read, or holds no concept; without `on_problem` also if a line is no concept, or two
            lines have one name.
    """
    lines = read_text(path, InputError, largest=LISTED_BYTES).split("\n")
    concepts: dict[str, tuple[int, ConceptLine]] = {}
    for number, text in enumerate(lines, start=1):
        place = f"{path}, line {number}"
        try:
            if text.strip():
                line = _parsed(text, place, path.parent)
                first, _ = concepts.setdefault(name_key(line.name), (number, line))
                if first != number:
                    raise InputError(f"{place}: {line.name!r} is the name of line {first}, too; rename one")
        except InputError as error:
            if on_problem is None:
                raise
            on_problem(error)
    if not concepts:
        raise InputError(f"{path} holds no concept; write one JSON object a line, with name and images")
    return tuple(line for _, line in concepts.values())


def _parsed(text: str, place: str, folder: Path) -> ConceptLine:
    try:
        line = ConceptLine.model_validate_json(text)
        name = clean_name(line.name)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        known = f"; known are {', '.join(ConceptLine.model_fields)}" if first["type"] == "extra_forbidden" else ""
        raise InputError(f"{place}: {where}: {first['msg']}{known}") from error
    except ConceptNameError as error:
        raise InputError(f"{place}: {error}") from error
    if line.boxes and len(line.boxes) != len(line.images):
        raise InputError(f"{place}: {len(line.boxes)} boxes for {len(line.images)} images; give one each, or null")
    missing = next((file for file in line.images if not is_file(in_either_form(folder / file))), None)
    if missing is not None:
        raise InputError(f"{place}: there is no file {folder / missing}; paths are relative to the manifest")
    return line.model_copy(update={"name": name})
