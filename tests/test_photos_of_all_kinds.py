"""Photos from phones, cameras and the web: colours, HEIC, very large ones, and what is refused by its header."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from ego import limits
from ego.errors import ImageError
from ego.media import read_image
from ego.media.colour import conversion
from ego.media.jpeg_scans import count_scans
from ego.media.reducing import converted, decode_smaller, kept_size
from ego.media.source import TimedStream, TooSlowError
from tests.heif import write_heic

RED, BLUE = (200, 30, 30), (30, 30, 200)
# As an sRGB (200, 30, 30) is written in Display P3 and Adobe RGB, whose profiles are made below.
PRIMARIES = {
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "Adobe RGB": ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060)),
}
WHITE = np.array([0.3127, 0.3290])
TO_D50 = np.array([[1.047811, 0.022887, -0.050127], [0.029542, 0.990484, -0.017049], [-0.009235, 0.015044, 0.752132]])


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def xyz(xy: object) -> np.ndarray:
    x, y = np.asarray(xy)
    return np.array([x / y, 1, (1 - x - y) / y])


def to_xyz(primaries: object) -> np.ndarray:
    columns = np.stack([xyz(primary) for primary in primaries], 1)
    return columns * np.linalg.solve(columns, xyz(WHITE))


def profile(primaries: object, gamma: float = 2.2) -> bytes:
    """A matrix profile of some primaries with a plain gamma, as cameras and phones embed them."""

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def padded(content: bytes) -> bytes:
        return content + bytes(-len(content) % 4)

    columns = (TO_D50 @ to_xyz(primaries)).T
    tags = {b"wtpt": b"XYZ \0\0\0\0" + b"".join(map(number, (0.9642, 1.0, 0.8249)))}
    tags |= {
        name: b"XYZ \0\0\0\0" + b"".join(map(number, column))
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)
    }
    tags |= dict.fromkeys(
        (b"rTRC", b"gTRC", b"bTRC"), padded(b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)))
    )
    tags[b"desc"] = padded(b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + bytes(78))
    tags[b"cprt"] = padded(b"text\0\0\0\0free\0")
    place, table, contents = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        table += name + struct.pack(">II", place + len(contents), len(content))
        contents += content
    length = place + len(contents)
    head = struct.pack(">I4xI4s4s4s12x4s24x", length, 0x02200000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    head = head[:68] + b"".join(map(number, (0.9642, 1.0, 0.8249)))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + contents


def as_written(colour: tuple[int, int, int], primaries: object) -> tuple[int, ...]:
    """What a program writes for an sRGB colour in a space of other primaries and gamma 2.2."""
    value = np.array(colour) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    srgb = to_xyz(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)))
    there = np.linalg.solve(to_xyz(primaries), srgb @ linear).clip(0, 1)
    return tuple(int(channel) for channel in (there ** (1 / 2.2) * 255).round())


@pytest.mark.parametrize("space", PRIMARIES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_colours_are_those_a_viewer_shows(space: str, kind: str) -> None:
    written = as_written(RED, PRIMARIES[space])
    assert max(abs(a - b) for a, b in zip(written, RED, strict=True)) > 8
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    picture = read_image(
        encoded(Image.new("RGB", (32, 32), written), kind, icc_profile=profile(PRIMARIES[space]), **options)
    ).picture
    assert picture.getpixel((9, 9)) == pytest.approx(RED, abs=4)


def test_transparency_and_profile_together() -> None:
    image = Image.new("RGBA", (32, 32), (*as_written(RED, PRIMARIES["Display P3"]), 255))
    image.paste((0, 0, 0, 0), (0, 0, 16, 32))
    picture = read_image(encoded(image, icc_profile=profile(PRIMARIES["Display P3"]))).picture
    assert picture.getpixel((24, 9)) == pytest.approx(RED, abs=3)
    assert picture.getpixel((4, 4)) == (255, 255, 255)


def test_an_srgb_profile_keeps_every_pixel() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read_image(encoded(noise, icc_profile=srgb)).digest == read_image(encoded(noise)).digest


@pytest.mark.parametrize(
    "broken", [b"no profile", profile(PRIMARIES["Adobe RGB"])[:200], bytes(limits.PROFILE_BYTES + 1)]
)
def test_a_damaged_profile_says_nothing(broken: bytes) -> None:
    assert (
        read_image(encoded(Image.new("RGB", (32, 32), RED), "TIFF", icc_profile=broken)).picture.getpixel((9, 9)) == RED
    )


def test_a_profile_of_another_kind_of_pixels_is_a_mistake() -> None:
    grey = Image.new("L", (32, 32), 100)
    assert read_image(encoded(grey, icc_profile=profile(PRIMARIES["Adobe RGB"]))).picture.getpixel((9, 9))[0] in range(
        90, 111
    )
    cmyk = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    assert read_image(encoded(cmyk, "TIFF", icc_profile=profile(PRIMARIES["Adobe RGB"]))).picture.getpixel((9, 9)) == (
        255,
        0,
        0,
    )


def test_lab() -> None:
    red, green, blue = read_image(Image.new("LAB", (16, 16), (255, 128, 128))).picture.getpixel((3, 3))
    assert min(red, green, blue) > 240


# -- HEIC


def two_halves(size: tuple[int, int] = (96, 64)) -> Image.Image:
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (0, size[1] // 2, *size))
    return picture


def test_heic_needs_no_advice(tmp_path: Path) -> None:
    (tmp_path / "IMG_0001.HEIC").write_bytes(write_heic(two_halves()))
    picture = read_image(tmp_path / "IMG_0001.HEIC").picture
    assert picture.size == (96, 64)
    assert picture.getpixel((9, 9)) == pytest.approx(RED, abs=6)
    assert picture.getpixel((9, 60)) == pytest.approx(BLUE, abs=6)


def test_heic_turned_with_a_profile_in_tiles() -> None:
    written = as_written(RED, PRIMARIES["Display P3"])
    tile = Image.new("RGB", (64, 64), written)
    picture = read_image(write_heic(tile, profile=profile(PRIMARIES["Display P3"]), grid=(3, 2))).picture
    assert picture.size == (192, 128)
    assert picture.getpixel((100, 100)) == pytest.approx(RED, abs=6)
    turned = read_image(write_heic(two_halves(), turns=1)).picture
    assert turned.size == (64, 96)
    assert turned.getpixel((9, 9)) == pytest.approx(RED, abs=6)
    assert turned.getpixel((60, 9)) == pytest.approx(BLUE, abs=6)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_cut_off_heic(share: float) -> None:
    content = write_heic(two_halves())
    with pytest.raises(ImageError, match=r"cannot be read as an image|not an image of a known format"):
        read_image(content[: int(len(content) * share)])


# -- very large ones (the limits lowered, so that the test need not be large)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT_PIXELS", 6000)


def corners(size: tuple[int, int]) -> Image.Image:
    picture = Image.new("RGB", size, (90, 90, 90))
    picture.paste(RED, (0, 0, size[0] // 4, size[1] // 4))
    picture.paste(BLUE, (size[0] * 3 // 4, size[1] * 3 // 4, *size))
    return picture


def test_kept_size_keeps_the_shape() -> None:
    assert kept_size((12_000, 9_000)) == (4729, 3547)
    assert kept_size((4000, 3000)) == (4000, 3000)
    assert kept_size((100_000, 1_000), 5000) == (707, 7)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "I;16", "I", "F", "1", "LA"])
def test_a_large_picture_is_made_smaller_in_any_mode(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = mode in {"I;16", "I", "F"}
    large = corners((600, 400)).convert("L" if deep else mode)
    if deep:
        scaled = np.asarray(large) * (257.0 if mode != "F" else 1 / 255)
        large = Image.fromarray(scaled.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    whole = converted(large, conversion(large))
    monkeypatch.setattr(limits, "KEPT_PIXELS", 6000)
    small = converted(large, conversion(large))
    assert small.size == (94, 63)
    expected = np.asarray(whole.resize(small.size, Image.Resampling.HAMMING), dtype=float)
    assert np.abs(np.asarray(small, dtype=float) - expected).mean() < 3


def test_a_large_jpeg_is_made_smaller_while_it_is_decoded(small_limits: None) -> None:
    with Image.open(io.BytesIO(encoded(corners((600, 400)), "JPEG", quality=95))) as image:
        decode_smaller(image)
        assert image.size == (150, 100)
    loaded = read_image(encoded(corners((600, 400)), "JPEG", quality=95))
    assert (loaded.picture.size, loaded.displayed_size) == ((94, 63), (600, 400))
    assert loaded.picture.getpixel((5, 5)) == pytest.approx(RED, abs=6)
    assert loaded.picture.getpixel((90, 60)) == pytest.approx(BLUE, abs=6)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_large_turned_photo_says_how_large_it_is_shown(kind: str, small_limits: None) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    loaded = read_image(encoded(corners((600, 400)), kind, exif=exif))
    assert loaded.orientation == 6
    assert loaded.displayed_size == (400, 600)
    assert loaded.picture.size == (63, 94)
    assert loaded.picture.getpixel((60, 3)) == pytest.approx(RED, abs=25)


def test_a_large_jpeg_2000_is_read_at_a_lower_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JPEG2000_PIXELS", 70_000)
    loaded = read_image(encoded(corners((600, 400)), "JPEG2000"))
    assert (loaded.picture.size, loaded.displayed_size) == ((300, 200), (600, 400))


# -- what is refused without being decoded


def many_scans(scans: int) -> bytes:
    content = encoded(two_halves(), "JPEG", progressive=True)
    start, end = content.rindex(b"\xff\xda"), content.rindex(b"\xff\xd9")
    return content[:start] + content[start:end] * scans + content[end:]


def test_thousands_of_scans_are_refused() -> None:
    with pytest.raises(ImageError, match="more than 100 scans, which would take minutes; save it again"):
        read_image(many_scans(2500))
    assert read_image(encoded(two_halves(), "JPEG", progressive=True)).picture.size == (96, 64)


def scans_of(content: bytes) -> int:
    return count_scans(TimedStream(io.BytesIO(content), 10), "a.jpg")


def test_scans_are_counted_of_the_first_picture_only() -> None:
    usual = encoded(two_halves(), "JPEG", progressive=True)
    assert scans_of(encoded(two_halves(), "JPEG")) == 1
    assert 5 <= scans_of(usual) <= 12
    moving = usual + b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 5000  # the clip behind the photo of a telephone
    assert scans_of(moving) == scans_of(usual)
    assert read_image(moving).picture.size == (96, 64)


@pytest.mark.parametrize("content", [b"\xff\xd8\xff" + bytes(10**6), b"\xff\xd8" + b"\xff\xfe\0\2" * 50_000])
def test_a_jpeg_of_nothing_is_refused_at_once(content: bytes) -> None:
    with pytest.raises(ImageError, match="mostly not JPEG"):
        read_image(content)


@pytest.mark.parametrize("name", ["a.webp", "a.avif", "a.heic", "a.jpg", "a.png", "a.tif"])
def test_gigabytes_of_holes_are_refused_by_their_length(tmp_path: Path, name: str) -> None:
    heads = {"webp": b"RIFF\xff\xff\xff\xffWEBPVP8 ", "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"}
    heads |= {"heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "jpg": b"\xff\xd8\xff\xe0", "png": b"\x89PNG\r\n\x1a\n"}
    with (tmp_path / name).open("wb") as file:
        file.write(heads.get(name[2:], b"II*\0\x08\0\0\0"))
        file.truncate(6 * 2**30)
    with pytest.raises(ImageError, match="6,442,450,944 bytes; at most"):
        read_image(tmp_path / name)


def test_a_reader_that_goes_byte_by_byte_is_stopped() -> None:
    stream = TimedStream(io.BytesIO(bytes(100)), -1)
    with pytest.raises(TooSlowError, match="longer than"):
        stream.read(1)
    assert stream.read(1) == b""


def test_one_changed_byte_of_an_avif() -> None:
    """Some such bytes make the decoder raise RuntimeError."""
    good = encoded(two_halves(), "AVIF")
    outcomes = set()
    for place in range(0, min(len(good), 320), 3):
        damaged = bytearray(good)
        damaged[place] ^= 0xFF
        try:
            outcomes.add(read_image(bytes(damaged)).picture.mode)
        except ImageError:
            outcomes.add("refused")
    assert outcomes == {"RGB", "refused"}
