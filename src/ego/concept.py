"""Concept: what the user introduces - a name, reference images and, if they like, more."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO
from os import PathLike
from typing import TYPE_CHECKING, Literal, TypeAlias

from PIL import Image

from ego.errors import ConceptNameError, InputError, WrongTypeError

if TYPE_CHECKING:
    import numpy as np

ImageSource: TypeAlias = str | PathLike[str] | bytes | BufferedReader | BytesIO | Image.Image
SINGLE_IMAGE = (str, PathLike, bytes, BufferedReader, BytesIO, Image.Image)  # ImageSource, for isinstance
LONGEST_NAME = 64  # characters
LONGEST_TEXT = 10_000  # characters of category, notes and keywords


@dataclass(frozen=True)
class Region:
    """Where the subject is in a reference image, said by the user instead of the model's attention.

    Attributes:
        box: Left, top, right, bottom in pixels of the image as displayed; or
        mask: True on the subject, one entry per pixel of the image as displayed (see `ego.media.masks`).
        space: What the mask is of, where a photo is turned by its EXIF orientation: the image as "displayed", or the
            "stored" pixels. None: found by its shape, and refused where both fit.
    """

    box: tuple[float, float, float, float] | None = None
    mask: "np.ndarray | None" = field(default=None, compare=False)
    space: Literal["displayed", "stored"] | None = None


@dataclass(frozen=True)
class Concept:
    """A subject to introduce.

    Attributes:
        name: What the user calls it; 1 to 64 characters, one line, no control characters (see `clean_name`).
        images: One or a few reference images (a single one may stand alone): paths, PIL images, open files, or the
            bytes of a file; of a video a few frames are taken.
        category: What it is ("dog"); optional.
        notes: Free text; optional.
        keywords: Words that replace the model's own description; optional.
        regions: One region per image (or None), which replaces description and area question; optional.
    """

    name: str
    images: Sequence[ImageSource]
    category: str = ""
    notes: str = ""
    keywords: str = ""
    regions: Sequence[Region | None] = ()

    def __post_init__(self) -> None:
        """Check what was given.

        Raises:
            ConceptNameError: If the name cannot be used.
            InputError: If there is no image, the regions do not match the images, or a text cannot be stored.
        """
        object.__setattr__(self, "name", clean_name(self.name))
        for what in ("category", "notes", "keywords"):
            _require_text(what, getattr(self, what))
        if isinstance(self.images, SINGLE_IMAGE):
            object.__setattr__(self, "images", (self.images,))
        require_type(f"images of {self.name!r}", self.images or (), Sequence, "a list of paths or PIL images")
        require_type(f"regions of {self.name!r}", self.regions, Sequence, "a list of Region or None, one per image")
        for region in self.regions:
            require_type(f"a region of {self.name!r}", region, (Region, type(None)), "a Region, or None")
        if not self.images:
            raise InputError(f"concept {self.name!r} has no reference image; give at least one photo")
        if self.regions and len(self.regions) != len(self.images):
            raise InputError(
                f"{len(self.regions)} regions for {len(self.images)} images of {self.name!r}; give one each"
            )
        if self.keywords and any(self.regions):
            raise InputError(f"both keywords and a region for {self.name!r}; a region needs no words, give one of them")


def require_type(what: str, value: object, wanted: type | tuple[type, ...], told: str) -> None:
    """Refuse a value of another type.

    Raises:
        WrongTypeError: If it is one.
    """
    if not isinstance(value, wanted):  # pragma: no cover - where types are checked in tests, nothing comes this far
        raise WrongTypeError(f"{what}: {type(value).__name__} was given; give {told}")


def _require_text(what: str, text: str) -> None:
    """Refuse text that no file can hold, or that is no note but a book."""
    require_type(f"the {what}", text, str, "text")
    if len(text) > LONGEST_TEXT:
        raise InputError(f"the {what} have {len(text)} characters; at most {LONGEST_TEXT} are allowed")
    require_characters(what, text)


def require_characters(what: str, text: str) -> None:
    """Refuse text that holds half characters, as bytes of another encoding than UTF-8 become.

    Raises:
        InputError: With the first one, or if it is no text.
    """
    require_type(f"the {what}", text, str, "text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the {what}: {text[error.start]!r} is no character; write it anew, in UTF-8") from error


def clean_name(name: str) -> str:
    """Normalise a name (NFC, outer blanks off) and refuse one that would break a prompt.

    Emoji, right-to-left scripts, quotes and slashes are fine: names never become file names, and text of a prompt is
    never read as control tokens.

    Raises:
        ConceptNameError: If it is empty or invisible, too long, has several lines, control characters or direction
            overrides.
    """
    require_type("the name", name, str, "text such as 'Bo'")
    cleaned = unicodedata.normalize("NFC", name).strip()
    if not any(_visible(character) for character in cleaned):
        raise ConceptNameError("the name is empty; give the concept a name such as 'Bo'")
    if len(cleaned) > LONGEST_NAME:
        raise ConceptNameError(f"the name has {len(cleaned)} characters; at most {LONGEST_NAME} are allowed")
    bad = [character for character in cleaned if _breaks_a_prompt(character)]
    if bad:
        raise ConceptNameError(f"the name {cleaned!r} holds {bad[0]!r}; use one line of visible characters")
    return cleaned


def name_key(name: str) -> str:
    """Give what names are compared by: two names that differ only in case are one name.

    Raises:
        ConceptNameError: If it is no usable name.
    """
    return unicodedata.normalize("NFC", clean_name(name).casefold())


def _visible(character: str) -> bool:
    """Tell letters, digits and signs from blanks, some of which Unicode counts among letters and signs."""
    drawn = unicodedata.category(character)[0] in "LNPS" or _unknown(character)
    return drawn and character not in "\u115f\u1160\u2800\u3164\uffa0"


def possible_key(text: str) -> str:
    """Give the key of a text that may be a name; empty if it cannot be one."""
    try:
        return name_key(text)
    except ConceptNameError:
        return ""


def _breaks_a_prompt(character: str) -> bool:
    if character in "\u200c\u200d" or _unknown(character):  # the joiners, of emoji and of Persian and Indic words
        return False
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _unknown(character: str) -> bool:
    """Tell emoji and letters newer than this Python's tables from code points that never become characters."""
    never = ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef" or character >= "\U000e0000"
    return unicodedata.category(character) == "Cn" and not never
