"""Video files -> a few upright RGB frames, evenly spread, through PyAV.

A video is read as a stream, so that memory holds the frames that are kept and no others: one pass over the packets
counts the frames without decoding, one pass decodes up to the last frame that is wanted.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import av
from PIL import Image

from ego.errors import VideoError
from ego.media import LARGEST_PIXELS, SMALLEST_SIDE

SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".3gp", ".ogv", ".wmv", ".flv")
)
# Play lists stay out: they would make the reader open other files and addresses.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,asf,flv,gif"


def is_video(path: str | PathLike[str]) -> bool:
    """Tell by its suffix whether a path is to be read as a video."""
    return Path(path).suffix.lower() in SUFFIXES


def read_frames(path: str | PathLike[str], count: int) -> tuple[Image.Image, ...]:
    """Take `count` frames of a video: the middle ones of `count` equal segments; all frames if it has fewer.

    Damaged frames are passed over.

    Args:
        path: A video file.
        count: Number of frames, at least 1.

    Returns:
        Upright RGB frames, in order.

    Raises:
        VideoError: If the file is missing, is no video, has no picture, or its frames are too large or too small.
    """
    if count < 1:
        raise VideoError(f"{count} frames were asked for; ask for at least one")
    label = str(path)
    with _explained(label):
        _require_file(path)
        frames, seen = _decode(label, middles(_count_packets(label), count))
        if len(frames) < count and seen > len(frames):  # fewer frames than packets: damaged, or hidden ones
            frames, _ = _decode(label, middles(seen, count))
    if not frames:
        raise VideoError(f"{label} has no frame that can be decoded; export the video again")
    return tuple(frames)


def middles(length: int, count: int) -> tuple[int, ...]:
    """Choose the middles of `count` equal segments of `length` items; every item if there are not more than that."""
    if length <= count:
        return tuple(range(length))
    return tuple((2 * segment + 1) * length // (2 * count) for segment in range(count))


def _require_file(path: str | PathLike[str]) -> None:
    if not Path(path).is_file():
        raise VideoError(f"there is no video file at {path}; check the path")


@contextmanager
def _explained(label: str) -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{label} cannot be read as a video ({error}); convert it to MP4 (H.264)") from error


@contextmanager
def _pictures(label: str) -> Iterator[tuple["av.container.InputContainer", "av.video.VideoStream"]]:
    """Open the first stream of moving pictures; the cover of a song is none."""
    with av.open(label, options={"format_whitelist": _CONTAINERS}) as container:
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            raise VideoError(f"{label} has no moving pictures (it holds: {_kinds(container)}); give a video")
        streams[0].thread_type = "AUTO"
        yield container, streams[0]


def _is_cover(stream: "av.video.VideoStream") -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _kinds(container: "av.container.InputContainer") -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _count_packets(label: str) -> int:
    with _pictures(label) as (container, stream):
        return sum(1 for packet in container.demux(stream) if packet.size)


def _decode(label: str, wanted: Sequence[int]) -> tuple[list[Image.Image], int]:
    """Decode up to the last wanted frame.

    Returns:
        The wanted frames that came, and how many frames were seen.
    """
    frames, seen = [], 0
    with _pictures(label) as (container, stream):
        for seen, frame in enumerate(_decodable(container, stream), start=1):
            if seen - 1 in wanted:
                frames.append(_upright(frame, label))
            if wanted and seen > wanted[-1]:
                break
    return frames, seen


def _decodable(container: "av.container.InputContainer", stream: "av.video.VideoStream") -> Iterator["av.VideoFrame"]:
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            continue


def _upright(frame: "av.VideoFrame", label: str) -> Image.Image:
    """Convert to RGB, turned as the container's display matrix says (degrees counter-clockwise)."""
    if frame.width * frame.height > LARGEST_PIXELS or min(frame.width, frame.height) < SMALLEST_SIDE:
        raise VideoError(
            f"{label} has frames of {frame.width}x{frame.height} pixels; each side needs at least {SMALLEST_SIDE}, "
            f"both together at most {LARGEST_PIXELS:,}; scale the video first"
        )
    picture: Image.Image = frame.to_image()
    return picture.rotate(frame.rotation, expand=True)
