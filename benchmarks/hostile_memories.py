"""Memory files that took too much memory or time."""

import struct
from pathlib import Path

from benchmarks.hostile_input import Input, pipe, sparse, written

_LENGTH = struct.Struct("<Q")


def _header(size: int, content: bytes) -> bytes:
    text = (content * (size // len(content) + 1))[:size]
    return _LENGTH.pack(len(text)) + text


def _lists(folder: Path) -> Path:
    return written(folder, "a.ego", _header(2**24, b'{"a":[' + b"[]," * 5_000_000))


def _long_lists(folder: Path) -> Path:
    return written(folder, "a.ego", _header(2**25, b'{"a":[' + b"[]," * 11_000_000))


def _deep(folder: Path) -> Path:
    return written(folder, "a.ego", _header(2**22, b"["))


INPUTS = (
    Input("header of 16 MB of empty lists", _lists),
    Input("header of 32 MB of empty lists", _long_lists),
    Input("header nested 4 million deep", _deep),
    Input("1 GB of holes", sparse("a.ego", 2**30, _header(1000, b'{"a":1'))),
    Input("6 GB of holes", sparse("a.ego", 6 * 2**30, _header(1000, b'{"a":1'))),
    Input("a pipe", pipe("a.ego")),
)
