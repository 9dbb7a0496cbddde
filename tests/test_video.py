"""Frames of real clips and of small videos written here."""

import struct
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ego import limits
from ego.errors import VideoError
from ego.media import Frame
from ego.video import is_video, read_frames
from ego.video.reading import moments

WIDTH, HEIGHT = 96, 64


def picture_of(number: int) -> Image.Image:
    """Frame `number`: grey level 5 x number, with a white mark at the top left."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), (5 * number,) * 3)
    picture.paste((255, 255, 255), (0, 0, 24, 16))
    return picture


def number_of(picture: Image.Image) -> int:
    return round(float(np.asarray(picture)[HEIGHT // 2, WIDTH // 2].mean()) / 5)


def numbers(frames: Iterable[Frame]) -> list[int]:
    return [number_of(frame.picture) for frame in frames]


def write_video(
    path: Path,
    frames: int,
    *,
    codec: str = "mpeg4",
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 1_000_000
        for number in range(frames):
            frame = av.VideoFrame.from_image(picture_of(number))
            frame.pts, frame.time_base = number, Fraction(1, 10)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def write_sound(path: Path, *, cover: bool) -> Path:
    with av.open(str(path), "w") as file:
        sound = file.add_stream("aac", rate=44100)
        if cover:
            picture = file.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44100, 0
        file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
        if cover:
            file.mux(picture.encode(av.VideoFrame.from_image(picture_of(1))))
            file.mux(picture.encode(None))
    return path


def turned(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Set the display matrix of an MP4's track header, as telephones do."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def blanked(path: Path, start: float, end: float) -> Path:
    """Overwrite a stretch of an MP4's coded pictures by zeros."""
    content = bytearray(path.read_bytes())
    first, last = content.index(b"mdat") + 4, content.index(b"moov") - 4
    begin, stop = (first + int(share * (last - first)) for share in (start, end))
    content[begin:stop] = bytes(stop - begin)
    path.write_bytes(content)
    return path


# -- which frames


@given(st.floats(0.01, 1e6), st.integers(1, 64))
def test_moments_are_the_middles_of_equal_stretches(length: float, count: int) -> None:
    chosen = moments(length, count)
    assert len(chosen) == count
    assert chosen[0] == pytest.approx(length - chosen[-1]) == pytest.approx(length / count / 2)
    assert all(later - earlier == pytest.approx(length / count) for earlier, later in pairwise(chosen))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "mpeg4"), ("a.avi", "mpeg4"), ("a.mkv", "mpeg4"), ("a.webm", "libvpx"), ("a.mpg", "mpeg2video")],
)
def test_frames_are_the_middles_of_equal_segments(tmp_path: Path, name: str, codec: str) -> None:
    frames = read_frames(write_video(tmp_path / name, 40, codec=codec), 4)
    assert numbers(frames) == [5, 15, 25, 35]
    assert {(frame.picture.mode, frame.picture.size) for frame in frames} == {("RGB", (WIDTH, HEIGHT))}


def test_reordered_frames_come_in_order_of_display(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 40, options={"bf": "2"})
    with av.open(str(path)) as file:
        times = [packet.pts for packet in file.demux(video=0) if packet.size]
    assert times != sorted(times)
    assert numbers(read_frames(path, 8)) == [2, 7, 12, 17, 22, 27, 32, 37]


def test_a_short_video_gives_all_its_frames(tmp_path: Path) -> None:
    frames = read_frames(write_video(tmp_path / "a.mp4", 3), 8)
    assert numbers(frames) == [0, 1, 2]


def test_a_container_without_a_frame_count(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", 40, codec="mpeg2video", container="mpegts")
    with av.open(str(path)) as file:
        assert file.streams.video[0].frames == 0
    assert numbers(read_frames(path, 4)) == [5, 15, 25, 35]


def test_a_moving_gif(tmp_path: Path) -> None:
    pictures = [picture_of(number) for number in range(8)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    assert numbers(read_frames(tmp_path / "a.gif", 4)) == [1, 3, 5, 7]


def test_a_cut_off_video_gives_frames_of_what_is_there(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", 40, codec="mpeg2video", container="mpegts")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    seen = numbers(read_frames(path, 4))
    assert len(seen) == 4
    assert seen == sorted(set(seen))
    assert 10 <= seen[-1] <= 25


def test_damaged_frames_are_passed_over(tmp_path: Path) -> None:
    frames = read_frames(blanked(write_video(tmp_path / "a.mp4", 40), 0.5, 0.8), 4)
    assert len(frames) == 4


# -- which way up


@pytest.mark.parametrize(
    ("matrix", "size", "mark"),
    [
        ((1, 0, 0, 1), (WIDTH, HEIGHT), (8, 8)),
        ((0, 1, -1, 0), (HEIGHT, WIDTH), (HEIGHT - 8, 8)),  # telephone held upright: a quarter turn clockwise
        ((-1, 0, 0, -1), (WIDTH, HEIGHT), (WIDTH - 8, HEIGHT - 8)),
        ((0, -1, 1, 0), (HEIGHT, WIDTH), (8, WIDTH - 8)),
    ],
)
def test_rotation_of_the_container_is_applied(
    tmp_path: Path, matrix: tuple[int, int, int, int], size: tuple[int, int], mark: tuple[int, int]
) -> None:
    (frame,) = read_frames(turned(write_video(tmp_path / "a.mp4", 4), matrix), 1)
    picture = frame.picture
    assert picture.size == size
    corners = [(8, 8), (size[0] - 8, 8), (8, size[1] - 8), (size[0] - 8, size[1] - 8)]
    assert [corner for corner in corners if picture.getpixel(corner)[0] > 200] == [mark]


# -- what is refused


def refused(path: Path, count: int = 2) -> str:
    with pytest.raises(VideoError) as caught:
        read_frames(path, count)
    return str(caught.value)


def test_missing(tmp_path: Path) -> None:
    assert "there is no file at" in refused(tmp_path / "no.mp4")
    assert "is a folder" in refused(tmp_path)
    assert "cannot be opened" in refused(tmp_path / f"{'a' * 300}.mp4")


@pytest.mark.parametrize("content", [b"Dear Bo, ...", bytes(range(256)) * 20])
def test_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    assert "cannot be read as a video" in refused(tmp_path / "a.mp4")


@pytest.mark.parametrize("cover", [False, True])
def test_sound_only(tmp_path: Path, cover: bool) -> None:
    path = write_sound(tmp_path / "a.mp4", cover=cover)
    with av.open(str(path)) as file:
        assert len(file.streams.video) == cover
    assert "has no moving pictures (it holds: audio" in refused(path)


def test_a_header_without_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 4)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\x1f\x43\xb6\x75")])  # up to the first cluster of frames
    assert "cannot be read as a video (" in refused(path)


def test_no_frame_that_can_be_decoded(tmp_path: Path) -> None:
    assert "has no frame that can be decoded" in refused(blanked(write_video(tmp_path / "a.mp4", 20), 0.0, 1.0))


def test_an_mp4_without_its_index(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 20)
    path.write_bytes(path.read_bytes()[:-400])
    assert "cannot be read as a video" in refused(path)


def test_a_play_list_opens_nothing_else(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", 4)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile a.mp4\n")
    assert "cannot be read as a video" in refused(tmp_path / "list.mp4")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\na.mp4\n#EXT-X-ENDLIST\n")
    assert "cannot be read as a video" in refused(tmp_path / "list.m3u8")


def test_no_frames_asked_for(tmp_path: Path) -> None:
    assert "ask for at least one" in refused(tmp_path / "a.mp4", 0)


def test_tiny_frames(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (4, 4), "red")])
    assert "has frames of 4x4 pixels" in refused(tmp_path / "a.gif")


def test_frames_of_too_many_bytes_are_refused_by_the_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "deep.mkv"
    with av.open(str(deep), "w") as file:
        stream = file.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p10le"
        file.mux(stream.encode(av.VideoFrame.from_image(picture_of(1)).reformat(format="yuv444p10le")))
        file.mux(stream.encode(None))
    assert len(read_frames(deep, 2)) == 1
    monkeypatch.setattr(limits, "FRAME_BYTES", 3 * WIDTH * HEIGHT)
    assert len(read_frames(write_video(tmp_path / "a.mp4", 4), 2)) == 2
    assert "pixels of 48 bits, 36,864 bytes; at most 18,432 are decoded" in refused(deep)


def test_what_a_file_is_its_content_says(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 4)
    renamed = video.rename(tmp_path / "a.jpg")
    photo = tmp_path / "b.mp4"
    picture_of(1).save(photo, "JPEG")
    assert is_video(renamed)
    assert is_video(renamed.read_bytes())
    assert not is_video(photo)
    assert not is_video(tmp_path / "no.mp4")
    assert not is_video(tmp_path)


# -- real clips


def test_real_clips(data: Path) -> None:
    clips = sorted((data / "video" / "clips").glob("*/*.mp4"))
    assert clips
    for clip in clips:
        frames = read_frames(clip, 4)
        assert len(frames) == 4
        assert len({frame.picture.tobytes() for frame in frames}) == 4
