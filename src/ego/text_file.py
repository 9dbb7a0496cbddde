"""Text and JSON that people and their tools wrote, whatever the encoding -> text, plain values, or one clear error.

UTF-8 with or without a byte-order mark, UTF-16 and UTF-32 are read; so is what Windows editors and older tools save.
"""

import codecs
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import pydantic_core

from ego.errors import EgoError
from ego.limits import JSON_BYTES
from ego.regular_file import open_regular

TEXT_BYTES = 2**20  # of a file of settings; people write some hundred bytes
_MARKS = (  # the longer ones first: that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: str | PathLike[str], refuse: Callable[[str], EgoError], *, largest: int = TEXT_BYTES) -> str:
    """Read a text file.

    Args:
        path: The file.
        refuse: Makes the error of a message, for example `ConfigError`.
        largest: Most bytes it may have.

    Raises:
        EgoError: What `refuse` made: the file is missing, empty, too large, unreadable, or no text.
    """
    content = _read(path, refuse, largest)
    with _explained(path, content, refuse):
        return content.decode(_encoding(content))


def read_json(path: str | PathLike[str], refuse: Callable[[str], EgoError]) -> Any:
    """Read a JSON file; nesting is bounded by the parser, long before it could end the program.

    Raises:
        EgoError: What `refuse` made: the file is missing, empty, too large, unreadable, no text or not JSON.
    """
    content = _read(path, refuse, JSON_BYTES)
    encoding = _encoding(content)
    if encoding != "utf-8":  # the parser takes UTF-8; anything else is small, or takes four bytes a character
        with _explained(path, content, refuse):
            content = content.decode(encoding).encode()
    try:
        with _no_collection():
            return pydantic_core.from_json(content)
    except ValueError as error:
        raise refuse(
            f"{path} is not readable JSON ({error}); correct it there, or write or download it again"
        ) from error


def _read(path: str | PathLike[str], refuse: Callable[[str], EgoError], largest: int) -> bytes:
    with open_regular(path, largest=largest, refuse=refuse) as file:
        return file.read(largest)


@contextmanager
def _explained(path: str | PathLike[str], content: bytes, refuse: Callable[[str], EgoError]) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise refuse(f"{path} is no text: line {line} is not {error.encoding}; save it as UTF-8") from error
    except UnicodeEncodeError as error:  # half of a pair, which UTF-16 and UTF-32 can hold
        raise refuse(f"{path} holds {error.object[error.start]!r}, which is no character; save it as UTF-8") from error


def _encoding(content: bytes) -> str:
    """Tell the encoding by the byte-order mark, else by where the zeros of plain characters are."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    if 0 not in content[:2] or len(content) < 2:
        return "utf-8"
    return "utf-16-be" if content[0] == 0 else "utf-16-le"


@contextmanager
def _no_collection() -> Iterator[None]:
    """Parse without the garbage collector: it would look through millions of fresh lists again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
