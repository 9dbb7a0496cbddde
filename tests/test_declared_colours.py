"""Colours that a file declares without a profile: cICP, gAMA and cHRM of PNG, nclx of HEIC and AVIF, video."""

import io
import struct
import zlib
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ego.errors import ImageError
from ego.footage import query_frames
from ego.media import read_image
from ego.media.code_points import of_code_points
from ego.video import read_frames
from tests.heif import write_heic
from tests.test_photos_of_all_kinds import PRIMARIES, RED, as_written, encoded, profile, to_xyz

SRGB, PQ, HLG, LINEAR = 13, 16, 18, 8
NUMBERS = {"BT.709": 1, "BT.2020": 9, "Display P3": 12}
CORNERS = PRIMARIES | {
    "BT.709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "BT.2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}


def in_space(space: str) -> tuple[int, ...]:
    """What a program writes for RED in a space, with the curve of sRGB."""
    value = np.array(RED) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    there = np.linalg.solve(to_xyz(CORNERS[space]), to_xyz(CORNERS["BT.709"]) @ linear)
    return tuple(int(channel) for channel in (255 * (1.055 * there ** (1 / 2.4) - 0.055)).round())


def plain(colour: tuple[int, ...] = RED, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (32, 32), colour)


def with_chunks(png: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Put chunks behind the header of a PNG."""
    inside = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return png[:33] + inside + png[33:]


def cicp(png: bytes, primaries: int, transfer: int = SRGB, matrix: int = 0, full: int = 1) -> bytes:
    return with_chunks(png, (b"cICP", bytes([primaries, transfer, matrix, full])))


def gamma_of(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def corners_of(space: str) -> tuple[bytes, bytes]:
    numbers = [0.3127, 0.3290, *(value for corner in CORNERS[space] for value in corner)]
    return b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in numbers))


def avif_with(picture: Image.Image, primaries: int, transfer: int = SRGB) -> bytes:
    content = bytearray(encoded(picture, "AVIF", quality=95, subsampling="4:4:4"))
    place = content.index(b"colrnclx") + 8
    content[place : place + 4] = struct.pack(">HH", primaries, transfer)
    return bytes(content)


def shown(content: bytes) -> tuple[int, ...]:
    return read_image(content).picture.getpixel((9, 9))


@pytest.mark.parametrize("space", NUMBERS)
@pytest.mark.parametrize("way", ["cICP", "AVIF", "HEIC"])
def test_code_points_are_followed(space: str, way: str) -> None:
    written = in_space(space)
    content = {
        "cICP": lambda: cicp(encoded(plain(written)), NUMBERS[space]),
        "AVIF": lambda: avif_with(plain(written), NUMBERS[space]),
        "HEIC": lambda: write_heic(plain(written), code_points=(NUMBERS[space], SRGB)),
    }[way]()
    assert shown(content) == pytest.approx(RED, abs=6)


@pytest.mark.parametrize("space", PRIMARIES)
def test_primaries_and_gamma_of_a_png(space: str) -> None:
    written = encoded(plain(as_written(RED, PRIMARIES[space])))
    assert shown(with_chunks(written, gamma_of(1 / 2.2), corners_of(space))) == pytest.approx(RED, abs=6)
    assert shown(with_chunks(written, corners_of(space))) == shown(written)  # alone they say nothing, as in browsers


def test_what_counts_most() -> None:
    written = as_written(RED, PRIMARIES["Display P3"])
    wide = encoded(plain(written), icc_profile=profile(PRIMARIES["Adobe RGB"]))
    assert shown(cicp(wide, 12)) == pytest.approx(RED, abs=6)  # cICP before a profile
    plain_png = encoded(plain())
    assert shown(with_chunks(plain_png, (b"sRGB", b"\0"), gamma_of(1.0), corners_of("BT.2020"))) == RED
    as_profiled = encoded(plain(written), icc_profile=profile(PRIMARIES["Display P3"]))
    assert shown(with_chunks(as_profiled, gamma_of(1.0))) == pytest.approx(RED, abs=4)  # a profile before gAMA


@pytest.mark.parametrize("value", [64, 128, 200])
def test_linear_light_is_shown_brighter(value: int) -> None:
    bright = round(255 * (1.055 * (value / 255) ** (1 / 2.4) - 0.055))
    grey = encoded(plain((value,) * 3))
    assert shown(cicp(grey, 1, LINEAR)) == shown(with_chunks(grey, gamma_of(1.0))) == (bright,) * 3
    deep = encoded(Image.fromarray(np.full((32, 32), value * 257, np.uint16)))
    assert shown(with_chunks(deep, gamma_of(1.0))) == (bright,) * 3


@pytest.mark.parametrize(("transfer", "white"), [(PQ, 148), (HLG, 191)])
def test_hdr_stills_are_tone_mapped(transfer: int, white: int) -> None:
    for content in (
        cicp(encoded(plain((white,) * 3)), 9, transfer),
        avif_with(plain((white,) * 3), 9, transfer),
        write_heic(plain((white,) * 3), code_points=(9, transfer)),
    ):
        assert all(235 <= channel <= 255 for channel in shown(content))


def test_transparency_and_animation() -> None:
    written = in_space("Display P3")
    half = plain((*written, 255), "RGBA")
    half.paste((0, 0, 0, 0), (16, 0, 32, 32))
    picture = read_image(cicp(encoded(half), 12)).picture
    assert picture.getpixel((9, 9)) == pytest.approx(RED, abs=6)
    assert picture.getpixel((24, 9)) == (255, 255, 255)
    buffer = io.BytesIO()
    plain(written).save(buffer, "PNG", save_all=True, append_images=[plain((0, 0, 200))], duration=100)
    first, second = query_frames(cicp(buffer.getvalue(), 12), 2)
    assert first.picture.getpixel((9, 9)) == pytest.approx(RED, abs=6)
    assert second.picture.getpixel((9, 9))[2] > 200


@pytest.mark.parametrize(
    "content",
    [
        cicp(encoded(plain()), 2, 2),
        cicp(encoded(plain()), 1, SRGB),
        cicp(encoded(plain()), 200, 200),
        cicp(encoded(plain()), 12, SRGB, matrix=9),
        cicp(encoded(plain()), 12, SRGB, full=0),
        with_chunks(encoded(plain()), gamma_of(0.0), corners_of("BT.2020")),
        with_chunks(encoded(plain()), gamma_of(1 / 2.2), (b"cHRM", bytes(32))),
        with_chunks(encoded(plain()), gamma_of(1 / 2.2), (b"cHRM", b"\0\0\1\0" * 8)),
        with_chunks(encoded(plain()), gamma_of(1 / 2.2), corners_of("BT.709")),
    ],
)
def test_what_says_nothing_keeps_every_pixel(content: bytes) -> None:
    assert shown(content) == RED


@given(st.binary(max_size=80), st.integers(0, 40))
def test_nonsense_about_colours_is_no_reason_to_fail(nonsense: bytes, cut: int) -> None:
    content = with_chunks(encoded(plain()), (b"cICP", nonsense[:4]), (b"gAMA", nonsense[4:8].ljust(4, b"\1")))
    assert len(shown(content)) == 3
    damaged = bytearray(avif_with(plain(), 12))
    place = damaged.index(b"colrnclx") - cut
    damaged[place : place + 2] = nonsense[:2]
    with suppress(ImageError):
        read_image(bytes(damaged))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_code_points_show_what_the_same_profile_shows(colour: tuple[int, int, int]) -> None:
    """Reference: LittleCMS with a profile of these primaries and a gamma of 2.2."""
    picture = plain(colour)
    by_numbers = with_chunks(encoded(picture), gamma_of(0.4), corners_of("Display P3"))
    by_profile = encoded(picture, icc_profile=profile(PRIMARIES["Display P3"], gamma=2.5))
    assert np.abs(np.subtract(shown(by_numbers), shown(by_profile))).max() <= 3


def test_primaries_of_a_video(tmp_path: Path) -> None:
    written = in_space("BT.2020")
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=10, options={"x264-params": "colorprim=bt2020:colormatrix=bt709"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv444p"
        frame = av.VideoFrame.from_image(Image.new("RGB", (64, 64), written)).reformat(
            format="yuv444p", dst_colorspace="ITU709"
        )
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    assert read_frames(tmp_path / "a.mp4", 1)[0].picture.getpixel((30, 30)) == pytest.approx(RED, abs=9)
    assert of_code_points(2, 1) is None
