"""What readers of images raise on damaged data, turned into an ImageError; they promise nothing narrower."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from ego.errors import ImageError
from ego.media.source import TooSlowError

UNREADABLE = (
    *(OSError, SyntaxError, ValueError, LookupError, TypeError, AttributeError, EOFError, AssertionError),
    *(ArithmeticError, RuntimeError, MemoryError, struct.error, zlib.error),
)


@contextmanager
def explained(label: str) -> Iterator[None]:
    """Say which image it is and what to do."""
    try:
        yield
    except TooSlowError as error:
        raise ImageError(f"{label} cannot be read as an image ({error}); save it again as JPEG or PNG") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # some readers look for themselves
        raise ImageError(f"{label} has too many pixels to be read; scale it down first") from error
    except UNREADABLE as error:
        said = str(error) or type(error).__name__
        raise ImageError(f"{label} cannot be read as an image ({said}); it seems damaged, export it again") from error
