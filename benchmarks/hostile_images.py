"""Images that took too much memory or time, or look as if they might."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from tests.heif import write_heic

from benchmarks.hostile_input import Input, chunk, pipe, png, sparse, written

_HUGE = 6 * 2**30
_PHONE = (12_000, 9_000)


def _saved(name: str, mode: str, size: tuple[int, int], kind: str, **options: object) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        Image.MAX_IMAGE_PIXELS = None
        path = folder / name
        Image.new(mode, size).save(path, kind, **options)
        return path

    return make


def _textured(size: tuple[int, int], kind: str, **options: object) -> Callable[[Path], Path]:
    """A picture with something to decode in every block."""

    def make(folder: Path) -> Path:
        Image.MAX_IMAGE_PIXELS = None
        tile = np.random.default_rng(0).integers(0, 255, (250, 250, 3), np.uint8)
        image = Image.fromarray(tile).resize((1000, 1000), Image.Resampling.BICUBIC)
        whole = Image.new("RGB", size)
        for left in range(0, size[0], 1000):
            for top in range(0, size[1], 1000):
                whole.paste(image, (left, top))
        whole.save(folder / "photo", kind, **options)
        return folder / "photo"

    return make


def _many_scans(folder: Path) -> Path:
    buffer = io.BytesIO()
    Image.new("RGB", (9400, 9400)).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    start = content.rindex(b"\xff\xda")
    end = content.rindex(b"\xff\xd9")
    return written(folder, "scans.jpg", content[:start] + content[start:end] * 2500 + content[end:])


def _many_segments(folder: Path) -> Path:
    return written(folder, "segments.jpg", b"\xff\xd8" + b"\xff\xfe\x00\x02" * 30_000_000 + b"\xff\xd9")


def _junk(folder: Path) -> Path:
    return written(folder, "junk.jpg", b"\xff\xd8\xff" + bytes(2**27 - 10))


def _endless_gif(folder: Path) -> Path:
    frame = b"\x2c\0\0\0\0\x40\x06\x40\x06\x80\0\0\0\xff\xff\xff\x02\x02\x4c\x01\0"
    return written(folder, "endless.gif", b"GIF89a\x40\x06\x40\x06\0\0\0" + frame * 100_000 + b";")


def _profile_bomb(folder: Path) -> Path:
    bomb = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(500_000_000), 9))
    return written(folder, "profile.png", png(64, 64, 8, 2, 3, bomb))


def _text_bombs(folder: Path) -> Path:
    bomb = chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(60_000_000), 9))
    return written(folder, "text.png", png(64, 64, 8, 2, 3, bomb * 40))


def _circular_tiff(folder: Path) -> Path:
    entries = struct.pack("<HHHII", 1, 0x0100, 3, 1, 64)
    return written(folder, "circle.tif", b"II*\0" + struct.pack("<I", 8) + entries + struct.pack("<I", 8))


def _long_tag(folder: Path) -> Path:
    entry = struct.pack("<HHHII", 1, 0x0111, 4, 2**28 - 1, 26) + struct.pack("<I", 0)
    return sparse("tag.tif", 2**29 - 1, b"II*\0" + struct.pack("<I", 8) + entry)(folder)


def _icon(folder: Path) -> Path:
    inside = png(*_PHONE, 8, 6, 4)
    return written(folder, "a.ico", struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(inside), 22) + inside)


def _qoi(side: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        pixels = b"\xfd" * (side * side // 62 + 1)
        return written(folder, "a.qoi", b"qoif" + struct.pack(">IIBB", side, side, 4, 0) + pixels + bytes(7) + b"\1")

    return make


def _grey_map(folder: Path) -> Path:
    return sparse("a.pgm", 89_000_000 + 20, b"P5 9433 9433 100\n")(folder)


def _plain_map(folder: Path) -> Path:
    return written(folder, "a.ppm", b"P3 5000 5000 255\n" + b"0 " * 75_000_000)


def _heic(folder: Path) -> Path:
    return written(folder, "phone.heic", write_heic(Image.new("RGB", (1008, 1008), "red"), grid=(12, 9)))


INPUTS = (
    Input("JPEG, 2,500 scans", _many_scans),
    Input("JPEG, 30 million segments", _many_segments),
    Input("JPEG, 128 MB of nothing", _junk),
    Input("JPEG 12000x9000", _textured(_PHONE, "JPEG", quality=85)),
    Input("JPEG 12000x9000, progressive", _textured(_PHONE, "JPEG", progressive=True)),
    Input("JPEG 16320x12240", _textured((16_320, 12_240), "JPEG", quality=75)),
    Input("PNG 12000x9000, RGBA", lambda folder: written(folder, "a.png", png(*_PHONE, 8, 6, 4))),
    Input("PNG 12000x9000, 16-bit RGBA", lambda folder: written(folder, "a.png", png(*_PHONE, 16, 6, 8))),
    Input("PNG 12000x9000, 16-bit grey", lambda folder: written(folder, "a.png", png(*_PHONE, 16, 0, 2))),
    Input("PNG, 16,000 megapixels", lambda folder: written(folder, "a.png", png(2**17, 2**10, 1, 0, 1 / 8))),
    Input("PNG, profile of 500 MB", _profile_bomb),
    Input("PNG, 40 texts of 60 MB", _text_bombs),
    Input("TIFF 12000x9000, float", _saved("a.tif", "F", _PHONE, "TIFF", compression="tiff_lzw")),
    Input("TIFF 12000x9000, 32-bit", _saved("a.tif", "I", _PHONE, "TIFF", compression="tiff_adobe_deflate")),
    Input("TIFF 12000x9000, CMYK, uncompressed", _saved("a.tif", "CMYK", _PHONE, "TIFF")),
    Input("TIFF, circular", _circular_tiff),
    Input("TIFF, tag of 1 GB", _long_tag),
    Input("WebP 8000x8000, RGBA", _saved("a.webp", "RGBA", (8000, 8000), "WEBP", lossless=True, quality=0, method=0)),
    Input("WebP 16383x16383", _saved("a.webp", "RGB", (16383, 5400), "WEBP", quality=0, method=0)),
    Input("AVIF 8000x8000", _saved("a.avif", "RGB", (8000, 8000), "AVIF", quality=10, speed=10)),
    Input("HEIC 12096x9072", _heic),
    Input("JPEG 2000 7000x7000, RGBA", _saved("a.jp2", "RGBA", (7000, 7000), "JPEG2000")),
    Input("JPEG 2000 10000x10000, RGBA", _saved("a.jp2", "RGBA", (10_000, 10_000), "JPEG2000")),
    Input("QOI 4000x4000", _qoi(4000)),
    Input("QOI 9433x9433", _qoi(9433)),
    Input("PGM 9433x9433, maximum 100", _grey_map),
    Input("PPM 5000x5000, in letters", _plain_map),
    Input("GIF of 100,000 frames", _endless_gif),
    Input("ICO with a PNG of 108 megapixels", _icon),
    *(
        Input(f"{name}, 6 GB of holes", sparse(name, _HUGE, head))
        for name, head in (
            ("a.webp", b"RIFF\xff\xff\xff\xffWEBPVP8 "),
            ("a.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"),
            ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
            ("a.jpg", b"\xff\xd8\xff\xe0"),
            ("a.gif", b"GIF89a\x40\0\x40\0\0\0\0"),
            ("a.png", b"\x89PNG\r\n\x1a\n"),
            ("a.tif", b"II*\0\x08\0\0\0"),
        )
    ),
    Input("a pipe", pipe("pipe.png")),
    Input("/dev/zero", lambda folder: Path("/dev/zero")),
)
