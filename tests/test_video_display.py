"""Videos as a player shows them: turned, mirrored, with square pixels, in ordinary colours, at the right time."""

import shutil
import subprocess
import sys
from fractions import Fraction
from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ego.errors import VideoError
from ego.media.code_points import srgb_values
from ego.media.hdr import REFERENCE_WHITE, hlg_curve, pq_curve, pressed
from ego.video import read_frames
from ego.video.display import Turn, matrix_turn, turned
from tests.test_video import HEIGHT, WIDTH, numbers, picture_of, write_video
from tests.test_video import turned as with_matrix

# Every turn and mirroring: what the matrix of a track header holds, row by row (a b, c d).
MATRICES = [(a, 0, 0, d) for a, d in product((1, -1), repeat=2)] + [(0, b, c, 0) for b, c in product((1, -1), repeat=2)]


def mapped(stored: np.ndarray, matrix: tuple[float, float, float, float]) -> np.ndarray:
    """The reference: carry every pixel to (a x + c y, b x + d y) and see where it comes to lie."""
    a, b, c, d = (round(value / max(map(abs, matrix))) for value in matrix)
    rows, columns = np.indices(stored.shape[:2])
    across, down = a * columns + c * rows, b * columns + d * rows
    across, down = across - across.min(), down - down.min()
    shown = np.zeros((down.max() + 1, across.max() + 1, *stored.shape[2:]), stored.dtype)
    shown[down, across] = stored
    return shown


@given(st.sampled_from(MATRICES), st.integers(1, 9), st.integers(1, 9), st.floats(0.6, 3), st.floats(-0.2, 0.2))
def test_every_matrix_turns_as_the_reference_does(
    matrix: tuple[int, int, int, int], width: int, height: int, scale: float, bent: float
) -> None:
    stored = np.arange(width * height, dtype=np.uint8).reshape(height, width)
    fixed = [int((value + (bent if value == 0 else 0)) * scale * 65536) for value in matrix]
    picture = turned(Image.fromarray(stored), matrix_turn(*fixed))
    assert (np.asarray(picture) == mapped(stored, matrix)).all()


def test_no_two_matrices_turn_alike() -> None:
    assert len({matrix_turn(*matrix) for matrix in MATRICES}) == 8
    assert matrix_turn(1, 0, 0, 1) == Turn(False, False, False)
    assert matrix_turn(0, 0, 0, 0) == Turn(False, False, False)


@pytest.mark.parametrize("matrix", MATRICES)
def test_the_matrix_of_a_file_is_applied(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    upright = read_frames(write_video(tmp_path / "a.mp4", 2), 1)[0].picture
    shown = read_frames(with_matrix(tmp_path / "a.mp4", matrix), 1)[0].picture
    assert (np.asarray(shown) == mapped(np.asarray(upright), matrix)).all()


def written(path: Path, pictures: list[tuple[Image.Image, float]], codec: str = "mpeg4", **fields: object) -> Path:
    """Write pictures that begin at given seconds."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=30, options=fields.pop("options", {}))
        stream.width, stream.height = pictures[0][0].size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if path.suffix != ".avi":  # which knows a fixed rate only
            stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in fields.items():
            setattr(stream.codec_context, name, value)
        for picture, seconds in pictures:
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("aspect", "size"), [((2, 1), (192, 64)), ((1, 2), (48, 64)), ((8, 9), (85, 64))])
def test_pixels_are_made_square(tmp_path: Path, aspect: tuple[int, int], size: tuple[int, int]) -> None:
    path = written(tmp_path / "a.mp4", [(picture_of(3), 0.0)], sample_aspect_ratio=Fraction(*aspect))
    assert read_frames(path, 1)[0].picture.size == size


def test_square_pixels_come_before_the_turn(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", [(picture_of(3), 0.0)], sample_aspect_ratio=Fraction(2, 1))
    assert read_frames(with_matrix(path, (0, 1, -1, 0)), 1)[0].picture.size == (64, 192)


# -- times


def test_frames_are_chosen_by_time_not_by_number(tmp_path: Path) -> None:
    """Nine seconds at two frames a second, then one second at two hundred."""
    slow = [(picture_of(1), number / 2) for number in range(18)]
    fast = [(picture_of(40), 9 + number / 200) for number in range(200)]
    frames = read_frames(written(tmp_path / "a.mkv", slow + fast), 8)
    assert numbers(frames) == [1] * 7 + [40]
    assert all(frame.seconds == int(frame.seconds * 2) / 2 for frame in frames[:7])
    assert 9.3 <= frames[7].seconds <= 9.4


def test_seconds_are_those_of_the_frame_and_count_from_the_start(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", 40, codec="mpeg2video", container="mpegts")  # begins at 1.4 s
    assert [frame.seconds for frame in read_frames(path, 4)] == pytest.approx([0.5, 1.5, 2.5, 3.5])


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mjpeg"), ("a.mkv", "mjpeg")],
)
@pytest.mark.parametrize("between_key_frames", [10, 1000])
def test_seeking_finds_the_frames_that_reading_on_does(
    tmp_path: Path, name: str, codec: str, between_key_frames: int
) -> None:
    options = {"g": str(between_key_frames), "bf": "2"} if codec == "libx264" else {}
    pictures = [(picture_of(number % 50), number / 30) for number in range(300)]
    path = written(tmp_path / name, pictures, codec=codec, options=options)
    with av.open(str(path)) as file:
        shown = [(frame.time, number_in(frame)) for frame in file.decode(video=0)]
    start = shown[0][0]
    for frame in read_frames(path, 7):
        before = [number for seconds, number in shown if seconds - start <= frame.seconds + 1e-3]
        assert number_in(frame.picture) == before[-1]
    middles = [10 * (2 * stretch + 1) / 14 for stretch in range(7)]
    assert [frame.seconds for frame in read_frames(path, 7)] == pytest.approx(middles, abs=0.05)


def number_in(frame: "av.VideoFrame | Image.Image") -> int:
    picture = frame if isinstance(frame, Image.Image) else frame.to_image()
    return round(float(np.asarray(picture)[HEIGHT // 2, WIDTH // 2].mean()) / 5)


def test_a_video_that_ends_before_its_header_says(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 80)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    frames = read_frames(path, 4)
    assert len(frames) == 4
    assert frames[-1].seconds < 5


# -- HDR


def test_transfer_curves_have_their_known_values() -> None:
    assert pq_curve(np.array([0.0, 0.508078, 0.580689, 1.0])) == pytest.approx(
        [0, 100, 203, 10_000], rel=2e-3, abs=1e-3
    )
    assert hlg_curve(np.array([0.0, 0.5, 0.75, 1.0])) == pytest.approx([0, 1 / 12, 0.265, 1], rel=2e-3, abs=1e-6)


@given(st.floats(0, 50), st.floats(0, 50))
def test_brighter_light_is_never_shown_darker(one: float, other: float) -> None:
    low, high = sorted((one, other))
    shown = srgb_values(pressed(np.array([[[low] * 3, [high] * 3]], dtype=np.float32)))
    assert (shown[0, 0] <= shown[0, 1]).all()


def test_reference_white_is_nearly_white_and_dark_stays() -> None:
    light = np.array([[[1.0] * 3, [0.2] * 3, [0.0] * 3, [40.0] * 3]], dtype=np.float32)
    shown = srgb_values(pressed(light))[0, :, 0]
    assert 235 <= shown[0] < shown[3] <= 255
    assert shown[1] == round(255 * (1.055 * 0.2 ** (1 / 2.4) - 0.055))
    assert shown[2] == 0


def hdr_video(path: Path, level: float, transfer: int) -> Path:
    """One grey picture whose signal (full scale 1) is `level`, HEVC of 10 bits in BT.2020."""
    name = {16: "smpte2084", 18: "arib-std-b67"}[transfer]
    # One picture only: with frames in another order than shown, its time of decoding would never be set.
    order = "log-level=none:bframes=0:keyint=1"
    options = {"x265-params": f"{order}:colorprim=9:transfer={name}:colormatrix=9:range=limited"}
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx265", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, transfer, 9
        luma = np.full((HEIGHT, WIDTH), round(64 + 876 * level), np.uint16)
        chroma = np.full((HEIGHT // 2, WIDTH), 512, np.uint16)
        frame = av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), format="yuv420p10le")
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        frame.colorspace, frame.color_primaries, frame.color_trc = 9, 9, transfer
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("transfer", "white"), [(16, 0.5807), (18, 0.75)])
def test_hdr_white_is_white(tmp_path: Path, transfer: int, white: float) -> None:
    picture = read_frames(hdr_video(tmp_path / "a.mkv", white, transfer), 1)[0].picture
    assert all(235 <= channel <= 255 for channel in picture.getpixel((30, 30)))
    dark = read_frames(hdr_video(tmp_path / "b.mkv", 0.0, transfer), 1)[0].picture
    assert max(dark.getpixel((30, 30))) <= 2
    assert REFERENCE_WHITE == 203


# -- nothing but the file


def play_lists(folder: Path) -> dict[str, Path]:
    """Files that name other files and addresses, and names that look like addresses."""
    clip = write_video(folder / "other.mp4", 4)
    segment = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    dash = '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><BaseURL>{}</BaseURL></MPD>'
    contents = {
        "hls.mp4": segment.format("http://127.0.0.1:9/a.ts"),
        "hls-file.m3u8": segment.format("other.mp4"),
        "concat.mp4": "ffconcat version 1.0\nfile other.mp4\n",
        "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        "dash.mpd": dash.format("http://127.0.0.1:9/"),
        "smil.mp4": '<smil><body><video src="other.mp4"/></body></smil>',
    }
    paths = {}
    for name, content in contents.items():
        (folder / name).write_text(content)
        paths[name] = folder / name
    referring = bytearray(clip.read_bytes())  # a track whose pictures lie in another file
    place = referring.index(b"url \0\0\0\1")
    referring[place + 4 : place + 8] = bytes(4)
    (folder / "reference.mp4").write_bytes(bytes(referring))
    (folder / "http:").mkdir()
    for name in ("http:/127.0.0.1:9", "tcp:127.0.0.1:9", "concat:other.mp4|other.mp4", "file:other.mp4"):
        shutil.copy(clip, folder / name)
        paths[name] = folder / name
    return paths | {"reference.mp4": folder / "reference.mp4"}


def test_play_lists_are_no_videos(tmp_path: Path) -> None:
    for name, path in play_lists(tmp_path).items():
        if name.startswith(("http:", "tcp:", "concat:", "file:")):
            assert len(read_frames(path, 2)) == 2
        elif name != "reference.mp4":
            with pytest.raises(VideoError, match="cannot be read as a video"):
                read_frames(path, 2)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_connection_is_made_and_no_other_file_opened(tmp_path: Path) -> None:
    """Every system call of a process that reads them all: no socket, and of the folder only the files themselves."""
    names = list(play_lists(tmp_path))
    code = (
        "import sys\nfrom ego.errors import EgoError\nfrom ego.footage import query_frames\n"
        "for name in sys.argv[1:]:\n    try:\n        query_frames(name.replace('http:/', 'http://'), 2)\n"
        "    except EgoError:\n        pass\n"
    )
    log = tmp_path.parent / "calls.log"
    command = ["strace", "-f", "-e", "trace=network,open,openat,openat2", "-o", str(log), sys.executable, "-c", code]
    done = subprocess.run([*command, *names], check=False, cwd=tmp_path, capture_output=True, text=True)
    if "ptrace" in done.stderr:
        pytest.skip("processes may not be traced here")
    assert done.returncode == 0, done.stderr
    calls = [line.split(" ", 1)[1].strip() for line in log.read_text().splitlines()]
    assert not [call for call in calls if call.startswith(("socket(", "connect(", "bind(", "sendto("))]
    opened = {call.split('"')[1] for call in calls if call.startswith("open") and '"' in call}
    assert "hls.mp4" in opened
    assert "other.mp4" not in {Path(name).name for name in opened if not name.startswith("/usr")}
