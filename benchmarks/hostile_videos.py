"""Videos that took too much memory or time, and a film of an ordinary length."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from benchmarks.hostile_input import Input, sparse, written

_RATE = 25
_FAST = {"preset": "ultrafast"}
_QUIET = _FAST | {"x265-params": "log-level=none"}


def encoded(
    path: Path,
    size: tuple[int, int],
    frames: int,
    codec: str = "libx264",
    *,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    repeated: int = 1,
) -> Path:
    """Encode moving noise; `repeated` writes the same packets again and again, later and later."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=_RATE, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        packets = []
        for number in range(frames):
            frame = av.VideoFrame.from_image(_picture(size, number)).reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, _RATE)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        length = int(frames / _RATE / packets[0].time_base)
        for turn in range(repeated):
            for packet in packets:
                file.mux(_later(packet, turn * length))
    return path


def _later(packet: av.Packet, ticks: int) -> av.Packet:
    copy = av.Packet(bytes(packet))
    copy.stream, copy.time_base, copy.duration = packet.stream, packet.time_base, packet.duration
    copy.pts, copy.dts, copy.is_keyframe = packet.pts + ticks, packet.dts + ticks, packet.is_keyframe
    return copy


def _picture(size: tuple[int, int], number: int) -> Image.Image:
    noise = np.random.default_rng(number % 8).integers(0, 255, (27, 48, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.NEAREST)


def film(folder: Path) -> Path:
    """Ten minutes at 1920x1080 with a key frame every ten seconds, encoded as x264 does by itself."""
    return encoded(folder / "film.mp4", (1920, 1080), 250, repeated=60, options={"preset": "veryfast", "bf": "3"})


def _of(name: str, size: tuple[int, int], frames: int, codec: str, **options: object) -> Callable[[Path], Path]:
    return lambda folder: encoded(folder / name, size, frames, codec, **options)  # type: ignore[arg-type]


def _many_references(folder: Path) -> Path:
    options = _FAST | {"refs": "16", "bf": "3"}
    return encoded(folder / "a.mp4", (7680, 4320), 19, "libx264", pixels="yuv420p10le", options=options)


def _many_samples(folder: Path) -> Path:
    """An MP4 of a few kilobytes whose index promises 170 million frames."""
    content = bytearray(encoded(folder / "a.mp4", (64, 64), 4, "mpeg4").read_bytes())
    sizes = content.index(b"stsz")
    content[sizes + 8 : sizes + 16] = struct.pack(">II", 1, 170_000_000)
    chunks = content.index(b"stsc")
    content[chunks + 16 : chunks + 20] = struct.pack(">I", 170_000_000)
    times = content.index(b"stts")
    content[times + 12 : times + 16] = struct.pack(">I", 170_000_000)
    return written(folder, "a.mp4", bytes(content))


def _false_length(folder: Path) -> Path:
    content = bytearray(encoded(folder / "a.mkv", (320, 240), 50, "mpeg4").read_bytes())
    place = content.index(b"\x44\x89\x88") + 3
    content[place : place + 8] = struct.pack(">d", 1e15)
    return written(folder, "a.mkv", bytes(content))


def _animation(folder: Path) -> Path:
    path = folder / "a.webp"
    frames = [Image.new("RGB", (1000, 1000), (number, 0, 0)) for number in range(100)]
    frames[0].save(path, save_all=True, append_images=frames[1:], quality=0, method=0)
    return path


INPUTS = (
    Input("ten minutes of 1920x1080", film),
    Input("the same, 256 frames", film, 256),
    Input("the same, 900 frames", film, 900),
    Input("PNG in MOV 9433x9433", _of("a.mov", (9433, 9433), 1, "png", pixels="rgb24")),
    Input("PNG in MOV 6000x6000", _of("a.mov", (6000, 6000), 3, "png", pixels="rgb24")),
    Input("H.264 8192x8192", _of("a.mp4", (8192, 8192), 2, "libx264", options=_FAST)),
    Input("H.264 8192x4320, 16 references", _of("a.mp4", (8192, 4320), 17, "libx264", options=_FAST | {"refs": "16"})),
    Input("H.264 7680x4320, 10 bit, 16 references", _many_references),
    Input("HEVC 8192x4320, 10 bit", _of("a.mp4", (8192, 4320), 3, "libx265", pixels="yuv420p10le", options=_QUIET)),
    Input("H.264 3840x2160, one key frame", _of("a.mp4", (3840, 2160), 100, "libx264", options=_FAST | {"g": "1000"})),
    Input("MP4 that promises 170 million frames", _many_samples),
    Input("Matroska that promises 30,000 years", _false_length),
    Input("WebP animation, 100 frames of a megapixel", _animation),
    *(
        Input(f"{name}, 12 GB of holes", sparse(name, 12 * 2**30, head))
        for name, head in (
            ("a.mp4", b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"),
            ("a.mkv", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01"),
            ("a.ts", b"G\x40\0\x10" + b"\xff" * 184),
            ("a.avi", b"RIFF\xff\xff\xff\xffAVI LIST"),
        )
    ),
)
