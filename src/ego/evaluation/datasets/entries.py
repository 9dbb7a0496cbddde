"""Entries of question files and lists of concepts as people and their tools write them -> validated values.

Read alike: `0`, `false` (an answer "no") and numbers where words are expected; a single value or a list of it; options
as a list or by letter; an answer by its letter in any case, or spelled out. Unknown keys are passed over.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

LETTERS = "ABCDEFGH"


def in_words(value: Any) -> str:
    """Spell a plain value of JSON as text.

    Raises:
        ValueError: If it is none, or nothing.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, str):
        return value.strip()
    raise ValueError(f"is {'missing' if value is None else type(value).__name__}; write it as text")


def _listed(value: Any) -> Any:
    """Read one value as a list of it, and null as an empty one."""
    return [] if value is None else value if isinstance(value, (list, tuple)) else [value]


Words: TypeAlias = Annotated[str, BeforeValidator(in_words), Field(min_length=1)]
MaybeWords: TypeAlias = Annotated[str, BeforeValidator(lambda value: "" if value is None else in_words(value))]
Several: TypeAlias = Annotated[tuple[Words, ...], BeforeValidator(_listed)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Question(_Entry):
    """One question in the form shared by Yo'LLaVA, RAP and PeKit.

    Attributes:
        question: Its text.
        options: Texts of the options, in the order of their letters; none for a question answered in words.
        answer: Index of the right option, or the answer in words.
        gpt_answer: The answer in words, beside options.
    """

    question: Words
    options: tuple[Words, ...] = ()
    answer: int | str
    gpt_answer: MaybeWords = ""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, entry: Any) -> Any:
        if not isinstance(entry, Mapping):
            raise ValueError("is no JSON object; write {question: ..., correct_answer: ...}")
        answer = _first(entry, "correct_answer", "answer")
        if answer is None:
            raise ValueError("has no correct_answer")
        options = _options(_first(entry, "options", "option"))
        words = in_words(answer)
        if not words:
            raise ValueError("has an empty correct_answer")
        chosen = _index(words, options) if options else words
        return {**entry, "options": tuple(options.values()), "answer": chosen}


class ConceptFacts(_Entry):
    """What `concepts.json` says of a concept."""

    id: Words = Field(validation_alias=AliasChoices("id", "name", "key"))
    category: MaybeWords = Field(default="", validation_alias=AliasChoices("class", "category"))
    group: MaybeWords = ""
    description: MaybeWords = Field(default="", validation_alias=AliasChoices("description", "info"))


class SharedImage(_Entry):
    """An image that shows several concepts."""

    image: Words
    concepts: Several


def spelling_key(text: str) -> str:
    """Give what names and paths of different systems are compared by: accents, case and slashes do not count."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return folded.replace("\\", "/").removeprefix("./").strip("/")


def _first(entry: Mapping[str, Any], *keys: str) -> Any:
    return next((entry[key] for key in keys if entry.get(key) is not None), None)


def _options(value: Any) -> dict[str, str]:
    """Read options by their letters, in order."""
    if value is None:
        return {}
    if isinstance(value, (list, tuple)):
        value = dict(zip(LETTERS, value, strict=False)) if len(value) <= len(LETTERS) else dict(enumerate(value))
    if not isinstance(value, Mapping):
        raise ValueError("has options that are neither a list nor {A: ..., B: ...}")
    spelled = {str(key).strip(): in_words(option) for key, option in value.items()}
    if spelled and not 2 <= len(spelled) <= len(LETTERS):
        raise ValueError(f"has {len(spelled)} options; 2 to {len(LETTERS)} can be asked")
    single = all(len(key) == 1 for key in spelled)
    return dict(sorted(spelled.items())) if single else spelled


def _index(answer: str, options: Mapping[str, str]) -> int:
    """Find the right option: by its letter, by its letter with a dot or bracket, or by its words."""
    letters = [key.casefold() for key in options]
    for spelled in _spellings(answer):
        if spelled in letters:
            return letters.index(spelled)
    texts = [spelling_key(option) for option in options.values()]
    if texts.count(spelling_key(answer)) == 1:
        return texts.index(spelling_key(answer))
    raise ValueError(f"the answer {answer!r} is none of the options {list(options)}; write its letter")


def _spellings(answer: str) -> Iterator[str]:
    yield answer.casefold()
    if found := re.match(r"\(?([A-Za-z])[.):](\s|$)", answer):
        yield found[1].casefold()
