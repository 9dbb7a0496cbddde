"""Where an image or video may come from: a path, the bytes of a file, or an open file -> a stream and a name for it."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from os import PathLike
from typing import cast

from PIL import Image

from ego.concept import SINGLE_IMAGE, ImageSource
from ego.errors import EgoError, NoImageError
from ego.regular_file import open_regular


class TooSlowError(OSError):
    """A reader came back for more when its time was over."""


class TimedStream:
    """A stream that ends readers which go through nonsense byte by byte; it has no name that could be taken for one.

    Args:
        stream: What to read.
        seconds: How long reads are answered, from now.
    """

    def __init__(self, stream: BufferedIOBase, seconds: float) -> None:
        self._stream, self._seconds, self._end = stream, seconds, time.monotonic() + seconds
        self._is_over = False

    def read(self, size: int = -1) -> bytes:
        """Read as any stream does.

        Raises:
            TooSlowError: Once, if the time is over; whoever reads on is at the end.
        """
        if time.monotonic() > self._end:
            if self._is_over:
                return b""
            self._is_over = True
            raise TooSlowError(f"it takes longer than {self._seconds:.0f} seconds")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Say where it stands."""
        return self._stream.tell()

    def fileno(self) -> int:
        """Give the descriptor, if there is one: some readers take less memory with it."""
        return self._stream.fileno()


def label_of(source: ImageSource) -> str:
    """Name a source for messages.

    Raises:
        NoImageError: If it is nothing that an image can be read from.
    """
    if not isinstance(source, SINGLE_IMAGE):
        raise NoImageError(
            f"an image cannot be read from {type(source).__name__}; give a path, a PIL image (of an array: "
            "PIL.Image.fromarray, channels in the order RGB), the bytes of a file, or an open file"
        )
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "")) or f"PIL image {source.size[0]}x{source.size[1]}"
    if isinstance(source, bytes):
        return f"image of {len(source)} bytes"
    return str(source) if isinstance(source, (str, PathLike)) else str(getattr(source, "name", "image file"))


@contextmanager
def opened(source: ImageSource, largest: int, refuse: Callable[[str], EgoError]) -> Iterator[BufferedIOBase]:
    """Open what is to be read; closed afterwards only if opened here.

    Raises:
        EgoError: What `refuse` makes of a source that is missing, empty, too large or no regular file.
    """
    if isinstance(source, bytes):
        _require_length(len(source), largest, refuse)
        yield io.BytesIO(source)
    elif isinstance(source, (str, PathLike)):
        with open_regular(source, largest=largest, refuse=refuse) as file:
            yield cast(BufferedIOBase, file)
    elif isinstance(source, Image.Image):
        raise TypeError("a PIL image is not opened")
    elif source.closed:
        raise refuse(f"{label_of(source)} is closed; open it again, or give its path")
    elif source.seekable():
        _require_length(source.seek(0, io.SEEK_END), largest, refuse)
        yield source
    else:
        blob = source.read(largest + 1)
        _require_length(len(blob), largest, refuse)
        yield io.BytesIO(blob)


def _require_length(length: int, largest: int, refuse: Callable[[str], EgoError]) -> None:
    if length == 0:
        raise refuse("nothing was given (0 bytes); hand over the content of a file")
    if length > largest:
        raise refuse(f"more than {largest:,} bytes were given; that is more than is read")
