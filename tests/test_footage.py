"""Images, animations, videos and lists, known by what they hold."""

import io
from pathlib import Path

import pytest
from PIL import Image

from ego import limits
from ego.errors import ImageError, InputError, VideoError
from ego.footage import query_frames, reference_images
from tests.test_video import numbers, picture_of, write_video

OPTIONS = {"GIF": {}, "WEBP": {"lossless": True}, "PNG": {}}


def animation(kind: str, durations: list[int]) -> bytes:
    """Grey levels 0, 1, 2 ..., each shown for a while (milliseconds)."""
    frames = [picture_of(number) for number in range(len(durations))]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=durations, **OPTIONS[kind])
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_a_short_video(kind: str) -> None:
    seen = query_frames(animation(kind, [100] * 8), 4)
    assert numbers(seen) == [1, 3, 5, 7]
    assert [frame.seconds for frame in seen] == pytest.approx([0.1, 0.3, 0.5, 0.7])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_frames_of_an_animation_are_chosen_by_time(kind: str) -> None:
    seen = query_frames(animation(kind, [100, 100, 100, 2700]), 3)
    assert numbers(seen) == [3]
    seen = query_frames(animation(kind, [1500, 100, 100, 1300]), 4)
    assert numbers(seen) == [0, 3]


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_an_animation_is_turned_as_its_first_frame_alone_is(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    first, second = Image.new("RGB", (96, 64), "red"), Image.new("RGB", (96, 64), "blue")
    first.paste((255, 255, 255), (0, 0, 24, 16))
    buffer = io.BytesIO()
    first.save(buffer, kind, save_all=True, append_images=[second], duration=100, exif=exif, **OPTIONS[kind])
    seen, alone = query_frames(buffer.getvalue(), 2), query_frames(buffer.getvalue(), 1)
    assert len(seen) == 2
    assert seen[0].picture.tobytes() == alone[0].picture.tobytes()
    assert seen[0].picture.getpixel((0, 0)) == (255, 0, 0)


def test_a_picture_alone_and_a_list_have_no_time(tmp_path: Path) -> None:
    picture_of(3).save(tmp_path / "a.png")
    assert [frame.seconds for frame in query_frames(tmp_path / "a.png", 4)] == [None]
    assert [frame.seconds for frame in query_frames([tmp_path / "a.png", picture_of(2)], 4)] == [None, None]
    assert [frame.seconds for frame in query_frames(picture_of(3), 4)] == [None]


@pytest.mark.parametrize("name", ["clip.jpg", "clip", "clip.mp4", "12:30:05.mp4", "http:clip"])
def test_a_video_is_known_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "made.mp4", 40).rename(tmp_path / name)
    seen = query_frames(name, 4)
    assert numbers(seen) == [5, 15, 25, 35]
    assert [frame.seconds for frame in seen] == pytest.approx([0.5, 1.5, 2.5, 3.5])


@pytest.mark.parametrize("name", ["photo.mp4", "photo.gif", "photo"])
def test_a_photo_is_known_whatever_its_name(tmp_path: Path, name: str) -> None:
    picture_of(3).save(tmp_path / name, "JPEG")
    assert numbers(query_frames(tmp_path / name, 4)) == [3]


@pytest.mark.parametrize("codec", ["a.mpg", "a.ts", "a.mkv", "a.avi", "a.webm"])
def test_no_container_is_taken_for_an_image(tmp_path: Path, codec: str) -> None:
    kind = {"a.mpg": "mpeg2video", "a.ts": "mpeg2video", "a.webm": "libvpx"}.get(codec, "mpeg4")
    path = write_video(tmp_path / codec, 40, codec=kind, container="mpegts" if codec == "a.ts" else None)
    assert numbers(query_frames(path, 4)) == [5, 15, 25, 35]
    assert numbers(query_frames(path.read_bytes(), 2)) == [10, 30]


def test_an_image_without_a_signature_is_tried_last() -> None:
    buffer = io.BytesIO()
    picture_of(3).save(buffer, "TGA")
    assert numbers(query_frames(buffer.getvalue(), 4)) == [3]


def test_neither(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"Dear Bo, ...")
    with pytest.raises(ImageError, match=r"a\.mp4 is neither an image nor a video of a known format"):
        query_frames(tmp_path / "a.mp4", 4)


def test_gigabytes_of_holes_are_neither(tmp_path: Path) -> None:
    with (tmp_path / "a.mp4").open("wb") as file:
        file.write(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41")
        file.truncate(12 * 2**30)
    with pytest.raises(ImageError, match="is neither an image nor a video"):
        query_frames(tmp_path / "a.mp4", 4)


def test_a_video_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 40)
    monkeypatch.setattr(limits, "READ_SECONDS", -1.0)
    with pytest.raises(ImageError, match="takes longer than"):
        query_frames(path, 4)


def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VideoError, match="900 frames were asked for; at most 256"):
        query_frames(b"x", 900)
    with pytest.raises(InputError, match="list of 300 frames"):
        query_frames([picture_of(1)] * 300, 8)
    monkeypatch.setattr(limits, "ANIMATION_PIXELS", 5 * 96 * 64)
    with pytest.raises(ImageError, match="animation of 8 frames; at most 5 of this size"):
        query_frames(animation("GIF", [100] * 8), 4)


def test_a_concept_is_introduced_from_frames_of_a_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 40)
    images = reference_images(path, 2)
    assert [image.source for image in images] == [f"{path} at 1.0 s", f"{path} at 3.0 s"]
    assert len({image.digest for image in images}) == 2
    assert len(reference_images(picture_of(1), 4)) == 1


def test_every_frame_of_many_is_kept_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", 40)
    monkeypatch.setattr(limits, "FRAMES_PIXELS", 8 * 24 * 16)
    assert {frame.picture.size for frame in query_frames(path, 8)} == {(24, 16)}
    assert {frame.picture.size for frame in query_frames(path, 2)} == {(48, 32)}


def test_a_closed_file_is_named(tmp_path: Path) -> None:
    picture_of(3).save(tmp_path / "a.png")
    with (tmp_path / "a.png").open("rb") as file:
        pass
    with pytest.raises(ImageError, match=r"a\.png is closed; open it again"):
        query_frames(file, 4)


def test_the_files_of_a_user_are_closed(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 40)
    before = sorted(Path("/proc/self/fd").iterdir()) if Path("/proc/self/fd").exists() else []
    for _ in range(3):
        query_frames(path, 2)
    after = sorted(Path("/proc/self/fd").iterdir()) if Path("/proc/self/fd").exists() else []
    assert after == before
