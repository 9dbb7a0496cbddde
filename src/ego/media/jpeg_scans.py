"""A JPEG -> how many scans it has, without decoding: a file of a few kilobytes may ask for thousands of passes."""

import re

from ego import limits
from ego.errors import ImageError
from ego.media.source import TimedStream

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_BARE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # in coded data: neither a stuffed byte nor a restart
_MOST_SEGMENTS = 10_000  # profiles and previews of cameras take some hundreds


def require_few_scans(stream: TimedStream, size: tuple[int, int], label: str) -> None:
    """Check that a JPEG can be decoded in a few passes.

    Raises:
        ImageError: If it has too many scans.
    """
    most = min(limits.SCANS, limits.SCAN_PIXELS // (size[0] * size[1]))
    if count_scans(stream, label) > most:
        raise ImageError(
            f"{label} cannot be read as an image: it has more than {most} scans, which would take minutes; save it "
            "again as an ordinary JPEG"
        )


def count_scans(stream: TimedStream, label: str) -> int:
    """Walk over the segments up to the end of the first image; above the limit, one more than it is said.

    Raises:
        ImageError: If there is so much between the segments, or so many of them, that it is no JPEG.
    """
    stream.seek(0)
    data = stream.read(limits.HELD_IMAGE_BYTES)
    scans, position, segments = 0, 2, 0
    while scans <= limits.SCANS and position < len(data):
        marker, segments = _MARKER.search(data, position), segments + 1
        reach = len(data) if marker is None else marker.start()
        if (reach - position > limits.JUNK_BYTES and not scans) or segments > _MOST_SEGMENTS:
            raise ImageError(f"{label} cannot be read as an image (it is mostly not JPEG); export it again")
        if marker is None:
            break
        kind, position = data[marker.start() + 1], marker.end()
        if kind == _END_OF_IMAGE:
            break
        scans += kind == _START_OF_SCAN
        if kind not in _BARE:
            position += int.from_bytes(data[position : position + 2], "big")
    return scans
