"""One input made to hurt, and the pieces that several are made of."""

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Input:
    """What it is, how it is made in a folder, and how many frames are asked for."""

    name: str
    make: Callable[[Path], Path]
    count: int = 8


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def sparse(name: str, size: int, head: bytes) -> Callable[[Path], Path]:
    """A file that is all holes behind its first bytes."""

    def make(folder: Path) -> Path:
        path = written(folder, name, head)
        with path.open("r+b") as file:
            file.truncate(size)
        return path

    return make


def pipe(name: str) -> Callable[[Path], Path]:
    """A pipe that nobody writes into."""

    def make(folder: Path) -> Path:
        os.mkfifo(folder / name)
        return folder / name

    return make


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, colour: int, bytes_a_pixel: float, extra: bytes = b"") -> bytes:
    """A PNG of zeros, compressed as far as it goes."""
    row = bytes(1 + int(width * bytes_a_pixel))
    press = zlib.compressobj(9)
    data = b"".join(press.compress(row) for _ in range(height)) + press.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")
