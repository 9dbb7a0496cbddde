"""The marks of colour that Pillow's readers pass over: cICP of a PNG, the code points (nclx) of an AVIF."""

import struct
from collections.abc import Iterator, Sequence

from PIL.ImageFile import ImageFile

from ego.media.source import TimedStream

CODE_POINTS = ("cicp", "nclx_profile")  # names in `Image.info`
_MOST_CHUNKS = 1000  # before the pixels of a PNG; text is put there
_HEAD_BYTES = 2**20  # of an AVIF: its properties stand before its pixels
_PROPERTIES: Sequence[bytes] = (b"meta", b"iprp", b"ipco")  # boxes, one in the other


def note_code_points(image: ImageFile, stream: TimedStream) -> None:
    """Put what is found into `image.info`: `cicp` (primaries, transfer), or `nclx_profile` as pi-heif names it."""
    here = stream.tell()
    if image.format == "PNG" and (found := _cicp(stream)):
        image.info["cicp"] = found
    elif image.format == "AVIF" and (found := _nclx(stream)):
        image.info["nclx_profile"] = {"color_primaries": found[0], "transfer_characteristics": found[1]}
    stream.seek(here)


def _cicp(stream: TimedStream) -> tuple[int, int] | None:
    """Walk over the chunks before the pixels; of a matrix other than RGB, or a narrow range, PNG says: ignore it."""
    place = 8
    for _ in range(_MOST_CHUNKS):
        stream.seek(place)
        length, kind = struct.unpack(">I4s", stream.read(8).ljust(8, b"\0"))
        if kind == b"cICP" and length == 4:
            primaries, transfer, matrix, full_range = stream.read(4).ljust(4, b"\0")
            return (primaries, transfer) if (matrix, full_range) == (0, 1) else None
        if kind in {b"IDAT", b"\0\0\0\0"}:
            return None
        place += 12 + length
    return None


def _nclx(stream: TimedStream) -> tuple[int, int] | None:
    """Find the first code points among the properties: those of the picture come before those of what belongs to it."""
    stream.seek(0)
    inside = memoryview(stream.read(_HEAD_BYTES))
    for wanted in _PROPERTIES:
        inside = next((content for kind, content in _boxes(inside) if kind == wanted), memoryview(b""))
        inside = inside[4:] if wanted == b"meta" else inside  # its version
    for kind, content in _boxes(inside):
        if kind == b"colr" and bytes(content[:4]) == b"nclx" and len(content) >= 8:
            primaries, transfer = struct.unpack(">HH", content[4:8])
            return primaries, transfer
    return None


def _boxes(content: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    place = 0
    while place + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        if length < 8:  # to the end, or of 64 bits: pixels, not properties
            return
        yield kind, content[place + 8 : place + length]
        place += length
