"""Every kind of image a user may hand over: what becomes of it, or what the error says."""

import hashlib
import io
import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ego.errors import ImageError
from ego.media import read_image, thumbnail

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)
# Left half red, right half green, 40 x 20.
TWO_HALVES = Image.new("RGB", (40, 20), RED)
TWO_HALVES.paste(GREEN, (20, 0, 40, 20))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def saved(folder: Path, content: bytes, name: str = "photo.png") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises a size; it holds no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def read_pixel(image: Image.Image, x: int, y: int, kind: str = "PNG", **options: object) -> tuple[int, ...]:
    picture = read_image(encoded(image, kind, **options)).picture
    assert picture.mode == "RGB"
    return picture.getpixel((x, y))


# -- where it may come from


def test_every_way_in_gives_the_same_picture(tmp_path: Path) -> None:
    content = encoded(TWO_HALVES)
    path = saved(tmp_path, content)
    with path.open("rb") as file:
        sources = [str(path), path, content, io.BytesIO(content), file, TWO_HALVES]
        loaded = [read_image(source) for source in sources]
        assert not file.closed
    assert {image.digest for image in loaded} == {loaded[0].digest}
    assert {image.picture.mode for image in loaded} == {"RGB"}
    assert loaded[0].source == loaded[4].source == str(path)
    assert loaded[2].source == f"image of {len(content)} bytes"
    assert loaded[3].source == "image file"
    assert loaded[5].source == "PIL image 40x20"


def test_the_digest_is_of_pixels_and_size_not_of_the_file() -> None:
    png, bmp = (read_image(encoded(TWO_HALVES, kind)).digest for kind in ("PNG", "BMP"))
    assert png == bmp == hashlib.sha256(b"40x20" + TWO_HALVES.tobytes()).hexdigest()
    black = [read_image(Image.new("RGB", size)).digest for size in ((40, 20), (20, 40))]
    assert black[0] != black[1]


def test_a_given_pil_image_stays_as_it_is(tmp_path: Path) -> None:
    given = Image.open(saved(tmp_path, encoded(TWO_HALVES.convert("P"))))
    picture = read_image(given).picture
    picture.paste(WHITE, (0, 0, 40, 20))
    assert (given.mode, given.size) == ("P", (40, 20))
    assert given.convert("RGB").getpixel((0, 0)) == RED
    rgb = TWO_HALVES.copy()
    read_image(rgb).picture.paste(WHITE, (0, 0, 40, 20))
    assert rgb.getpixel((0, 0)) == RED


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no list of open files here")
def test_files_are_closed_even_of_animations(tmp_path: Path) -> None:
    path = saved(tmp_path, encoded(TWO_HALVES, "GIF", save_all=True, append_images=[Image.new("RGB", (40, 20))]))
    before = sorted(Path("/proc/self/fd").iterdir())
    kept = [read_image(path) for _ in range(5)]
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert len(kept) == 5


# -- odd images that are read


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    as_shot = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # shown by turning back, clockwise
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = TWO_HALVES if as_shot is None else TWO_HALVES.transpose(as_shot)
    picture = read_image(encoded(turned, "PNG", exif=exif)).picture
    assert picture.size == (40, 20)
    assert picture.tobytes() == TWO_HALVES.tobytes()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_damaged_exif_block_is_no_reason_to_refuse() -> None:
    content = encoded(TWO_HALVES, "JPEG", quality=95, exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff" + b"\xff" * 20)
    assert read_image(content).picture.size == (40, 20)


def test_cmyk() -> None:
    red, green, blue = read_pixel(TWO_HALVES.convert("CMYK"), 5, 5, "TIFF")
    assert (red, green, blue) == RED


def test_palette_with_transparency_is_laid_on_white() -> None:
    image = TWO_HALVES.convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    red_index = image.getpixel((0, 0))
    assert read_pixel(image, 5, 5, transparency=red_index) == WHITE
    assert read_pixel(image, 35, 5, transparency=red_index) == GREEN


@pytest.mark.parametrize(
    ("mode", "colour", "shown"),
    [
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
        ("LA", (0, 0), WHITE),
        ("LA", (100, 255), (100, 100, 100)),
        ("L", 100, (100, 100, 100)),
        ("1", 1, WHITE),
    ],
)
def test_alpha_and_grey(mode: str, colour: int | tuple[int, ...], shown: tuple[int, ...]) -> None:
    assert read_pixel(Image.new(mode, (16, 16), colour), 3, 3) == shown


def test_premultiplied_alpha_in_memory() -> None:
    for mode in ("La", "RGBa"):
        image = Image.new("LA" if mode == "La" else "RGBA", (16, 16), 0).convert(mode)
        assert read_image(image).picture.getpixel((3, 3)) == WHITE


@pytest.mark.parametrize(("value", "shown"), [(0, 0), (65535, 255), (32896, 128), (200, 1)])
def test_sixteen_bit_grey_is_scaled_not_clipped(value: int, shown: int) -> None:
    image = Image.fromarray(np.full((16, 16), value, np.uint16))
    assert read_pixel(image, 3, 3, "PNG") == (shown,) * 3
    assert read_pixel(image, 3, 3, "TIFF") == (shown,) * 3


@pytest.mark.parametrize(("top", "half"), [(1.0, 128), (200.0, 100), (60000.0, 117), (1e9, 128)])
def test_float_grey_is_scaled_by_the_range_that_holds_it(top: float, half: int) -> None:
    values = np.full((16, 16), top, np.float32)
    values[:, 8:] = top / 2
    values[0, 0] = np.nan
    assert read_pixel(Image.fromarray(values), 12, 3, "TIFF")[0] == pytest.approx(half, abs=1)


def test_black_float_image_stays_black() -> None:
    assert read_pixel(Image.new("F", (16, 16), 0.0), 3, 3, "TIFF") == (0, 0, 0)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_counts(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, WHITE)]
    options = {"lossless": True} if kind == "WEBP" else {}
    assert read_pixel(frames[0], 3, 3, kind, save_all=True, append_images=frames[1:], **options) == RED


def test_50_to_1_is_still_read() -> None:
    assert read_image(encoded(Image.new("RGB", (1000, 20)))).picture.size == (1000, 20)


def test_8_pixels_are_enough() -> None:
    assert read_image(encoded(Image.new("RGB", (8, 8)))).picture.size == (8, 8)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP", "GIF", "AVIF", "JPEG2000", "PPM", "TGA", "QOI"])
def test_common_formats(kind: str) -> None:
    red, green, blue = read_pixel(TWO_HALVES, 5, 5, kind)
    assert red > 230
    assert max(green, blue) < 25


# -- what is refused, and in which words


def refused(source: object) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(source)
    return str(caught.value)


def test_missing(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.jpg") == f"there is no file at {tmp_path / 'no.jpg'}; check the path"


def test_folder(tmp_path: Path) -> None:
    assert "is a folder; give the files in it" in refused(tmp_path)


def test_address() -> None:
    assert "is an address, not a file; download it first" in refused("https://example.org/bo.jpg")


def test_zero_bytes(tmp_path: Path) -> None:
    assert "is empty (0 bytes); copy or download it again" in refused(saved(tmp_path, b""))
    assert "nothing was given" in refused(b"")
    assert "nothing was given" in refused(io.BytesIO())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "is not a regular file" in refused(tmp_path / "pipe.png")


def test_not_an_image(tmp_path: Path) -> None:
    message = refused(saved(tmp_path, b"Dear Bo, ...", "letter.jpg"))
    assert message.endswith("letter.jpg is not an image of a known format; convert it to JPEG or PNG")


def test_postscript_is_not_handed_to_another_program() -> None:
    assert "not an image of a known format" in refused(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated(kind: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    content = encoded(noise, kind)
    message = refused(content[: int(len(content) * share)])
    assert "damaged, export it again" in message or "not an image of a known format" in message


def test_a_truncated_pil_image_is_refused_too(tmp_path: Path) -> None:
    content = encoded(TWO_HALVES, "BMP")
    with Image.open(saved(tmp_path, content[:200], "half.bmp")) as image:
        message = refused(image)
    assert "half.bmp cannot be read as an image" in message


def test_a_path_the_system_refuses_is_an_image_error() -> None:
    assert "cannot be opened" in refused("x" * 5000)


@pytest.mark.parametrize("size", [(1, 1), (7, 100), (100, 7)])
def test_too_small(size: tuple[int, int]) -> None:
    assert f"is {size[0]}x{size[1]} pixels; each side needs at least 8" in refused(encoded(Image.new("RGB", size)))


def test_too_long() -> None:
    assert "is 8x801 pixels, longer than 100:1" in refused(encoded(Image.new("RGB", (8, 801))))


@pytest.mark.parametrize("size", [(20_000, 10_000), (10_500, 10_500), (2**31 - 1, 2**31 - 1)])
@pytest.mark.filterwarnings("error")
def test_decompression_bombs_are_refused_by_their_header(size: tuple[int, int]) -> None:
    assert "at most 110,000,000 are read of PNG; scale it down first" in refused(png_of_size(*size))


def test_a_bomb_takes_no_memory() -> None:
    """200 million white pixels, 25 kB as a file: refused in a process that could not hold them."""
    code = (
        "import io, resource, sys\n"
        "from ego.errors import ImageError\n"
        "from ego.media import read_image\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read_image(sys.stdin.buffer.read())\n"
        "except ImageError:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    bomb = encoded(Image.new("1", (20_000, 10_000), 1))
    assert len(bomb) < 50_000
    done = subprocess.run([sys.executable, "-c", code], input=bomb, capture_output=True, check=True)
    assert int(done.stdout) < 20_000  # kB; the pixels would take 600,000


def test_pillow_limit_is_left_alone() -> None:
    before = Image.MAX_IMAGE_PIXELS
    read_image(TWO_HALVES)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "QOI", "TGA", "ICO", "JPEG2000", "PPM"])
@pytest.mark.filterwarnings("ignore")
def test_altered_bytes_give_a_picture_or_an_image_error(kind: str) -> None:
    """400 times, a few random bytes of a file are altered; nothing but an ImageError may come out."""
    chance = random.Random(kind)
    exif = Image.Exif()
    exif[0x0112] = 6
    good = encoded(TWO_HALVES, kind, **({"exif": exif} if kind in {"JPEG", "PNG", "WEBP"} else {}))
    read = 0
    for _ in range(400):
        altered = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            altered[chance.randrange(len(altered))] = chance.randrange(256)
        try:
            read += read_image(bytes(altered)).picture.mode == "RGB"
        except ImageError:
            continue
    assert 0 < read < 400


# -- real photos and thumbnails


def test_real_photos(data: Path) -> None:
    photos = sorted((data / "concepts").rglob("*.jpg"))[:20]
    assert photos
    for photo in photos:
        assert min(read_image(photo).picture.size) >= 100


def test_thumbnail_is_small_and_without_metadata() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    picture = read_image(encoded(Image.new("RGB", (600, 300), RED), exif=exif)).picture
    content = thumbnail(picture)
    small = Image.open(io.BytesIO(content))
    assert (small.format, small.size, len(small.getexif())) == ("JPEG", (128, 64), 0)
    assert b"camera" not in content
    assert picture.size == (600, 300)


def test_float_grey_with_values_that_are_no_numbers() -> None:
    values = np.full((16, 16), 0.5, dtype=np.float32)
    values[0], values[1], values[2], values[3] = np.nan, np.inf, -np.inf, 1
    picture = read_image(Image.fromarray(values)).picture
    assert [picture.getpixel((5, row))[0] for row in range(5)] == [0, 255, 0, 255, 128]


@pytest.mark.parametrize("kind", ["<u2", ">u2", "i4", "f4"])
def test_every_level_of_deep_grey_is_rounded(kind: str) -> None:
    values = np.arange(65536).reshape(256, 256)
    picture = read_image(Image.fromarray(values.astype(kind))).picture
    assert (np.asarray(picture)[..., 0] == np.rint(values / 257)).all()
