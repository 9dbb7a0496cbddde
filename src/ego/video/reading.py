"""One video -> Frames: those shown at the middles of equal stretches of its time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from ego import limits
from ego.concept import ImageSource
from ego.errors import EgoError, VideoError
from ego.media.picture import Frame
from ego.media.source import TimedStream, label_of, opened
from ego.video.display import as_displayed
from ego.video.opening import explained, opened_pictures, require_usable
from ego.video.seeking import MomentReader, said_length, walked_length

_SHORT_BY = 0.5  # seconds; a video that ends earlier than its header says by more is read anew by its true length


@dataclass(frozen=True)
class _Pass:
    """What one walk through a video gave.

    Attributes:
        frames: By their seconds, in order.
        end: Where the video was found to end, if before the last moment or if it did not say; else None.
    """

    frames: dict[float, Image.Image]
    end: float | None


def read_frames(source: ImageSource, count: int) -> tuple[Frame, ...]:
    """Take the frames shown at the middles of `count` equal stretches of a video; fewer if it has fewer.

    Damaged frames are passed over.

    Args:
        source: A path, the bytes of a file, or an open file.
        count: Number of frames, 1 to `limits.FRAMES`.

    Returns:
        Upright frames in order, each once, with the seconds at which they are shown.

    Raises:
        VideoError: If the file is missing, is no video, has no picture, or its frames are too large or too small.
    """
    require_count(count)
    label = label_of(source)
    with opened(source, limits.VIDEO_BYTES, VideoError) as file:
        return frames_of_stream(TimedStream(file, limits.READ_SECONDS), label, count)


def frames_of_stream(stream: TimedStream, label: str, count: int) -> tuple[Frame, ...]:
    """Take frames of a video that is open already, as `read_frames` does."""
    with explained(label):
        done = _walk(stream, label, count)
        if done.end is not None:
            done = _walk(stream, label, count, length=done.end)
    if not done.frames:
        raise VideoError(
            f"{label} has no frame that can be decoded (of more than {limits.FRAME_PIXELS:,} pixels none is); export "
            "the video again"
        )
    return tuple(Frame(picture, seconds) for seconds, picture in done.frames.items())


def is_video(source: ImageSource) -> bool:
    """Tell whether a file holds moving pictures, by opening it."""
    try:
        label = label_of(source)
        with (
            explained(label),
            opened(source, limits.VIDEO_BYTES, VideoError) as file,
            opened_pictures(TimedStream(file, limits.READ_SECONDS), label),
        ):
            return True
    except EgoError:
        return False


def require_count(count: int) -> None:
    """Check how many frames are asked for.

    Raises:
        VideoError: If it is none, or too many.
    """
    if count < 1:
        raise VideoError(f"{count} frames were asked for; ask for at least one")
    if count > limits.FRAMES:
        raise VideoError(f"{count} frames were asked for; at most {limits.FRAMES} are read of one video")


def moments(length: float, count: int) -> Sequence[float]:
    """Choose the middles of `count` equal stretches of a length."""
    return [(2 * stretch + 1) * length / (2 * count) for stretch in range(count)]


def _walk(stream: TimedStream, label: str, count: int, length: float | None = None) -> _Pass:
    frames: dict[float, Image.Image] = {}
    most = min(limits.FRAME_KEPT_PIXELS, limits.FRAMES_PIXELS // count)
    with opened_pictures(stream, label) as (container, pictures):
        whole = said_length(container, pictures) if length is None else length
        if whole is None:  # the end is reached then, from where a raw stream has no way back
            return _Pass({}, walked_length(container, pictures))
        reader = MomentReader(container, pictures)
        late = time.monotonic() + limits.VIDEO_PATIENCE
        for left, moment in zip(range(count, 0, -1), moments(whole, count), strict=True):
            frame = reader.at(moment, patience=(late - time.monotonic()) / left)
            if frame is None:
                break
            seconds = round(reader.seconds(frame), 6)
            if seconds not in frames:
                require_usable(frame.width, frame.height, label)
                frames[seconds] = as_displayed(frame, pictures, most)
            end = reader.seconds_after(frame)
            if length is None and reader.ended and end + _SHORT_BY < moment:
                return _Pass(frames, end)
    return _Pass(dict(sorted(frames.items())), None)
