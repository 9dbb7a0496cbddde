"""Videos whose clock does not begin at nothing, wraps, or is missing: frames by time all the same."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from ego.video import read_frames
from tests.test_video import HEIGHT, WIDTH, numbers, picture_of, write_video

TICKS = 90_000  # a second
WRAP = 2**33  # ticks of the clock of an MPEG stream


def clocked(path: Path, start: int, codec: str = "libx264", rate: int | Fraction = 10) -> Path:
    """50 frames from a moment of the clock on, with frames in another order than shown."""
    container = "mpeg" if path.suffix == ".mpg" else "mpegts"
    tick = Fraction(1, TICKS) if codec == "libx264" else Fraction(1, rate)
    with av.open(str(path), "w", format=container, options={"mpegts_copyts": "1"}) as file:
        stream = file.add_stream(codec, rate=rate, options={"g": "10", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = tick
        packets = []
        for number in range(50):
            frame = av.VideoFrame.from_image(picture_of(number))
            frame.pts, frame.time_base = int(Fraction(number) / rate / tick), tick
            packets += stream.encode(frame)
        for packet in (*packets, *stream.encode(None)):
            packet.pts, packet.dts = (when + int(Fraction(start, TICKS) / tick) for when in (packet.pts, packet.dts))
            file.mux(packet)
    return path


STARTS = [TICKS, 3600 * TICKS, WRAP // 2, WRAP - TICKS, WRAP - 4 * TICKS - 4500]


@pytest.mark.parametrize("start", STARTS)
def test_the_clock_of_a_stream_may_begin_anywhere_and_wrap(tmp_path: Path, start: int) -> None:
    frames = read_frames(clocked(tmp_path / "a.ts", start), 5)
    assert numbers(frames) == [5, 15, 25, 35, 45]
    assert [frame.seconds for frame in frames] == pytest.approx([0.5, 1.5, 2.5, 3.5, 4.5])


@pytest.mark.parametrize("start", STARTS)
def test_and_of_a_disc(tmp_path: Path, start: int) -> None:
    frames = read_frames(clocked(tmp_path / "a.mpg", start, "mpeg2video", rate=25), 5)
    # Pictures as small as these share packets, and only the first of a packet says when it is shown.
    assert numbers(frames) == pytest.approx([5, 15, 25, 35, 45], abs=2)
    assert [frame.seconds for frame in frames] == pytest.approx([0.2, 0.6, 1.0, 1.4, 1.8], abs=0.04)


@pytest.mark.parametrize("before", [15, 120])
def test_a_clock_that_wraps_in_a_film_of_minutes(tmp_path: Path, before: int) -> None:
    frames = read_frames(clocked(tmp_path / "a.ts", WRAP - before * TICKS, rate=Fraction(1, 5)), 5)
    assert numbers(frames) == [5, 15, 25, 35, 45]
    assert [frame.seconds for frame in frames] == pytest.approx([25, 75, 125, 175, 225])


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("h264", "libx264", {"g": "20", "bf": "2"}),
        ("hevc", "libx265", {"x265-params": "log-level=none:keyint=20"}),
        ("m4v", "mpeg4", {}),
        ("yuv4mpegpipe", "rawvideo", {}),
    ],
)
def test_pictures_without_a_container(tmp_path: Path, container: str, codec: str, options: dict[str, str]) -> None:
    path = write_video(tmp_path / "a.raw", 50, codec=codec, container=container, options=options)
    frames = read_frames(path, 5)
    assert numbers(frames) == [5, 15, 25, 35, 45]
    assert [frame.seconds for frame in frames] == pytest.approx([0.5, 1.5, 2.5, 3.5, 4.5])


@pytest.mark.parametrize("codec", ["mpeg1video", "mpeg2video"])
def test_mpeg_without_a_container(tmp_path: Path, codec: str) -> None:
    with av.open(str(tmp_path / "a.m2v"), "w", format=codec) as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(50):
            frame = av.VideoFrame.from_image(picture_of(number))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    assert numbers(read_frames(tmp_path / "a.m2v", 5)) == pytest.approx([5, 15, 25, 35, 45], abs=1)
