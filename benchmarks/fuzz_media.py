"""Damaged images and videos by the thousand: each gives pictures or a clear error, and never more.

    python benchmarks/fuzz_media.py [--images 50000] [--videos 5000] [--seed 0]

Workers read; a worker that dies of a damaged file (a fault of a decoder in C) is counted, its file kept under
./fuzz-crashes, and replaced. Prints totals by format; the exit status is 1 if anything else than a picture or an
`EgoError` came out, or a worker died.
"""

import argparse
import collections
import io
import multiprocessing
import random
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import av
import numpy as np
from PIL import Image
from tests.heif import write_heic
from tests.test_video import write_video

from ego.errors import EgoError
from ego.footage import query_frames

CRASHES = Path("fuzz-crashes")
SLOW = 20  # seconds for one small file
EXTREMES = (b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\0\0\0\1")


def pictures() -> Iterator[tuple[str, Image.Image]]:
    noise = np.random.default_rng(1).integers(0, 255, (40, 48, 3), np.uint8)
    image = Image.fromarray(noise)
    yield "RGB", image
    yield "L", image.convert("L")
    alpha = image.convert("RGBA")
    alpha.putalpha(image.convert("L"))
    yield "RGBA", alpha
    yield "P", image.convert("P")


def image_seeds() -> dict[str, list[bytes]]:
    """Small good images of every format, in several modes, plain and animated, with EXIF and without."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    seeds = collections.defaultdict(list)
    ways: dict[str, list[dict[str, object]]] = {
        "JPEG": [{"exif": exif}, {"progressive": True}, {"optimize": True, "subsampling": 0}],
        "PNG": [{"exif": exif}, {"save_all": True}],
        "WEBP": [{"exif": exif}, {"lossless": True}, {"save_all": True}],
        "GIF": [{}, {"save_all": True}],
        "TIFF": [{"compression": way} for way in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")],
        "AVIF": [{"exif": exif}, {"save_all": True}],
        "JPEG2000": [{}, {"irreversible": True}],
        **{kind: [{}] for kind in ("BMP", "DIB", "PPM", "ICO", "TGA", "QOI", "MPO")},
    }
    for kind, options in ways.items():
        for option in options:
            for _, picture in pictures():
                buffer = io.BytesIO()
                more = {"append_images": [picture.rotate(90 * turn) for turn in (1, 2)]} if "save_all" in option else {}
                try:
                    picture.save(buffer, kind, **option, **more)
                except (OSError, ValueError):  # a mode that the format does not have
                    continue
                seeds[kind].append(buffer.getvalue())
    seeds["HEIF"] = [write_heic(Image.new("RGB", (64, 64), "red")), write_heic(Image.new("RGB", (32, 32)), grid=(2, 2))]
    return dict(seeds)


def video_seeds() -> dict[str, list[bytes]]:
    """Small good videos in every container."""
    made = {
        "a.mp4": [("mpeg4", None), ("libx264", None), ("libx265", None)],
        "a.mkv": [("mpeg4", None), ("libx264", None), ("ffv1", None)],
        "a.webm": [("libvpx", None), ("libvpx-vp9", None)],
        "a.avi": [("mpeg4", None), ("mjpeg", None)],
        "a.mov": [("mpeg4", None), ("png", None)],
        "a.mpg": [("mpeg2video", None)],
        "a.ts": [("mpeg2video", "mpegts"), ("libx264", "mpegts")],
        "a.ogv": [("libtheora", None)],
        "a.flv": [("flv", None)],
        "a.wmv": [("wmv2", None)],
        "a.3gp": [("mpeg4", None)],
        "a.mxf": [("mpeg2video", None)],
        "a.h264": [("libx264", "h264")],
        "a.hevc": [("libx265", "hevc")],
        "a.y4m": [("rawvideo", "yuv4mpegpipe")],
    }
    seeds = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for name, ways in made.items():
            for codec, container in ways:
                try:
                    path = write_video(Path(folder) / name, 10, codec=codec, container=container)
                except (OSError, ValueError, LookupError):  # an encoder that this build of FFmpeg lacks
                    continue
                seeds[name[2:]].append(path.read_bytes())
    return dict(seeds)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Change, cut out, double or cut off some bytes; sometimes a number becomes an extreme one."""
    altered = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(altered))
        way = chance.random()
        if way < 0.5:
            altered[place] = chance.randrange(256)
        elif way < 0.7:
            altered[place : place + 4] = chance.choice(
                (b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\0\0\0\1")
            )
        elif way < 0.8:
            del altered[place : place + chance.randint(1, 64)]
        elif way < 0.9:
            altered[place:place] = altered[place : place + chance.randint(1, 64)]
        else:
            altered = altered[: max(12, place)]
        if not altered:
            return content[:12]
    is_png = content.startswith(b"\x89PNG") and chance.random() < 0.8
    return with_checksums(altered) if is_png else bytes(altered)


def with_checksums(content: bytearray) -> bytes:
    """Make the checksums of a PNG right again, so that the damage behind them is looked at."""
    place = 8
    while place + 12 <= len(content):
        end = place + 8 + int.from_bytes(content[place : place + 4], "big")
        if end + 4 > len(content):
            break
        content[end : end + 4] = zlib.crc32(content[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(content)


def work(requests: Connection, answers: Connection) -> None:
    """Read what comes; answer in one word."""
    warnings.simplefilter("ignore")
    av.logging.set_level(None)
    while (content := requests.recv()) is not None:
        started = time.monotonic()
        try:
            seen = query_frames(content, 3)
            said = "read" if all(frame.picture.mode == "RGB" for frame in seen) else "odd"
        except EgoError:
            said = "refused"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        answers.send((said, time.monotonic() - started))


class Worker:
    """A child that reads; a new one is started when it dies."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        mine, theirs = context.Pipe(), context.Pipe()
        self._requests, self._answers = mine[1], theirs[0]
        self._process = context.Process(target=work, args=(mine[0], theirs[1]), daemon=True)
        self._process.start()
        mine[0].close()
        theirs[1].close()

    def read(self, content: bytes) -> tuple[str, float]:
        self._requests.send(content)
        started = time.monotonic()
        if self._answers.poll(4 * SLOW):
            try:
                answer: tuple[str, float] = self._answers.recv()
                return answer
            except EOFError:
                pass
        self._process.kill()
        self._process.join()
        code = self._process.exitcode
        self._start()
        return f"worker died ({code})", time.monotonic() - started


def fuzz(what: str, seeds: dict[str, list[bytes]], total: int, seed: int) -> int:
    chance, worker = random.Random(seed), Worker()
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    wrong, slowest, begun = 0, 0.0, time.monotonic()
    for number in range(total):
        kind = sorted(seeds)[number % len(seeds)]
        content = damaged(chance.choice(seeds[kind]), chance)
        said, seconds = worker.read(content)
        slowest = max(slowest, seconds)
        if said not in {"read", "refused"} or seconds > SLOW:
            wrong += 1
            CRASHES.mkdir(exist_ok=True)
            (CRASHES / f"{what}-{kind}-{seed}-{number}").write_bytes(content)
            print(f"{what} {kind} {seed}-{number}: {said} ({seconds:.1f} s)", flush=True)
            said = "wrong"
        counts[kind][said] += 1
        if number % 5000 == 4999:
            print(f"{what}: {number + 1} of {total}, {wrong} wrong, {time.monotonic() - begun:.0f} s", flush=True)
    for kind, count in sorted(counts.items()):
        print(
            f"{what} {kind:9s} {sum(count.values()):6d}: " + ", ".join(f"{n} {word}" for word, n in count.most_common())
        )
    print(f"{what}: {total} damaged files, {wrong} wrong, slowest {slowest:.1f} s", flush=True)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--videos", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    makers: list[tuple[str, Callable[[], dict[str, list[bytes]]], int]] = [
        ("images", image_seeds, asked.images),
        ("videos", video_seeds, asked.videos),
    ]
    wrong = [fuzz(what, make(), total, asked.seed) for what, make, total in makers if total]
    return int(any(wrong))


if __name__ == "__main__":
    sys.exit(main())
