"""A stream of bytes -> an open video container that cannot reach anything but those bytes.

FFmpeg is handed a stream, never a name, so that no part of a path can be taken for a protocol; it may open no protocol
and no play list, and follows no reference to another file. What a file is, its content says, not its suffix.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import av

from ego import limits
from ego.errors import VideoError
from ego.media.source import TimedStream

# By hand: formats that hold their pictures themselves. Play lists and sequences of files stay out.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,ogg,asf,flv,gif,mxf,dv,ivf"
RAW = (
    "mpegvideo",
    "h264",
    "hevc",
    "m4v",
    "obu",
    "yuv4mpegpipe",
)  # pictures without a container, as cameras and encoders write them
_OPTIONS = {
    "format_whitelist": ",".join((_CONTAINERS, *RAW)),
    "protocol_whitelist": "none",
    "enable_drefs": "0",
    "max_streams": "100",
    "max_pixels": str(limits.FRAME_PIXELS),
}
UNREADABLE = (
    *(av.FFmpegError, OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError),
    *(AssertionError, MemoryError),
)  # what PyAV raises on damaged data; it promises nothing narrower
_MANY_PIXELS = 9_000_000  # from here on every further thread costs hundreds of megabytes


@contextmanager
def explained(label: str) -> Iterator[None]:
    """Turn what FFmpeg says into a VideoError."""
    try:
        yield
    except UNREADABLE as error:
        said = str(error) or type(error).__name__
        raise VideoError(f"{label} cannot be read as a video ({said}); convert it to MP4 (H.264)") from error


@contextmanager
def opened_pictures(
    stream: TimedStream, label: str
) -> Iterator[tuple["av.container.InputContainer", "av.video.VideoStream"]]:
    """Open the first stream of moving pictures; the cover of a song is none.

    Raises:
        VideoError: If there is none, or its frames are too large or too small.
    """
    stream.seek(0)
    with av.open(stream, options=_OPTIONS, metadata_errors="replace") as container:
        streams = [one for one in container.streams.video if not _is_cover(one)]
        if not streams:
            raise VideoError(f"{label} has no moving pictures (it holds: {_kinds(container)}); give a video")
        pictures = streams[0]
        if pictures.codec_context is None:
            raise VideoError(f"{label} is of a kind for which there is no decoder; convert it to MP4 (H.264)")
        if pictures.width:
            require_usable(pictures.width, pictures.height, label)
            _require_few_bytes(pictures, label)
        pictures.codec_context.options = {"max_pixels": str(limits.FRAME_PIXELS)}
        pictures.thread_type = "SLICE" if pictures.width * pictures.height > _MANY_PIXELS else "AUTO"
        yield container, pictures


def require_usable(width: int, height: int, label: str) -> None:
    """Judge the size of frames.

    Raises:
        VideoError: If they are too large or too small.
    """
    if width * height > limits.FRAME_PIXELS or min(width, height) < limits.SMALLEST_SIDE:
        raise VideoError(
            f"{label} has frames of {width}x{height} pixels; each side needs at least {limits.SMALLEST_SIDE}, both "
            f"together at most {limits.FRAME_PIXELS:,}; scale the video first"
        )


def _require_few_bytes(pictures: "av.video.VideoStream", label: str) -> None:
    """Judge what a decoded frame takes, of which a decoder keeps up to 17.

    Raises:
        VideoError: If it is too much.
    """
    kind = pictures.codec_context.format
    size = pictures.width * pictures.height * kind.padded_bits_per_pixel // 8 if kind else 0
    if size > limits.FRAME_BYTES:
        raise VideoError(
            f"{label} has frames of {pictures.width}x{pictures.height} pixels of {kind.padded_bits_per_pixel} bits, "
            f"{size:,} bytes; at most {limits.FRAME_BYTES:,} are decoded; scale the video first"
        )


def _is_cover(stream: "av.video.VideoStream") -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _kinds(container: "av.container.InputContainer") -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
