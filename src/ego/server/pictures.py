"""What callers hand over as images and clips -> upright RGB pictures, within the limits of the service."""

import asyncio
import base64
import binascii
import gc
import io
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool
from PIL import Image

from ego.errors import ImageError
from ego.footage import query_frames
from ego.media.masks import read_mask
from ego.server.failures import BusyError, TooLargeError
from ego.server.remote import fetch
from ego.server.settings import MEGABYTE, ServiceSettings

_AT_ONCE = 2  # pictures that are decoded at the same time: a large one takes hundreds of megabytes
_HELD_PIXELS = 500_000_000  # 1.5 GB, or forty photos of a phone, of all requests that wait or are answered
_CLIP_MARKS = ((4, b"ftyp"), (0, b"\x1a\x45\xdf\xa3"), (8, b"AVI "))  # MP4 and MOV, Matroska and WebM, AVI
_STILL_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")


class HeldPixels:
    """Counts the pixels of pictures that requests hold, until nothing refers to the pictures any more."""

    def __init__(self) -> None:
        self.number = 0

    def take(self, pictures: Sequence[Image.Image]) -> None:
        """Count pictures.

        Raises:
            BusyError: If requests hold too many already; these are not counted then.
        """
        more = sum(picture.width * picture.height for picture in pictures)
        if self.number + more > _HELD_PIXELS:
            gc.collect()  # of requests that failed, whose pictures only their traceback still holds
        if self.number + more > _HELD_PIXELS:
            raise BusyError("the images of other requests fill the memory; try again in 1 s, or send smaller ones", 1)
        for picture in pictures:
            self._change(picture.width * picture.height)
            weakref.finalize(picture, self._change, -picture.width * picture.height).atexit = False

    def _change(self, pixels: int) -> None:
        self.number += pixels


@dataclass(frozen=True)
class PictureReader:
    """Reads pictures for one service."""

    settings: ServiceSettings
    held: HeldPixels = field(default_factory=HeldPixels)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def at(self, url: str) -> tuple[Image.Image, ...]:
        """Read a data URL, or an address of an allowed host: one picture, or the frames of a clip."""
        if url[:5].lower() == "data:":
            return await self.decode(from_base64(url.partition(",")[2]))
        hosts = tuple(host.lower() for host in self.settings.image_hosts)
        return await self.decode(await fetch(url, hosts=hosts, largest=self.settings.body_megabytes * MEGABYTE))

    async def decode(self, content: bytes, frames: int | None = None) -> tuple[Image.Image, ...]:
        """Read the bytes of a file: one picture, or the frames of a clip."""
        async with self._slots:
            pictures = await asyncio.to_thread(self._decode, content, frames or self.settings.frames)
        self.held.take(pictures)
        return pictures

    async def mask(self, content: bytes) -> Bool[np.ndarray, "height width"]:
        """Read the bytes of a mask: True on the subject."""
        self.require_small(content)
        async with self._slots:
            return await asyncio.to_thread(read_mask, content)

    def require_few(self, pictures: Sequence[object]) -> None:
        """Refuse a request with too many pictures; before they are decoded, for a black one is small as a file.

        Raises:
            TooLargeError: If there are.
        """
        if len(pictures) > self.settings.images:
            raise TooLargeError(f"{len(pictures)} images in one request; at most {self.settings.images} are read")

    def _decode(self, content: bytes, frames: int) -> tuple[Image.Image, ...]:
        self.require_small(content)
        return tuple(frame.picture for frame in query_frames(content, frames))

    def require_small(self, content: bytes) -> None:
        """Judge by the header, before a pixel is decoded; what cannot be read is explained later.

        Raises:
            TooLargeError: If the image has too many pixels.
        """
        try:
            with Image.open(io.BytesIO(content)) as image:
                pixels = image.width * image.height
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return
        if pixels > self.settings.image_megapixels * 1_000_000:
            raise TooLargeError(
                f"the image has {pixels:,} pixels; at most {self.settings.image_megapixels} million are read"
            )


def from_base64(text: str) -> bytes:
    """Decode base64 as it stands in a request.

    Raises:
        ImageError: If it is none.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError("the image is not base64; send the bytes of a JPEG or PNG file, encoded in base64") from error


def is_clip(content: bytes) -> bool:
    """Tell a film from a still by its first bytes."""
    marked = any(content[start : start + len(mark)] == mark for start, mark in _CLIP_MARKS)
    return marked and content[8:12] not in _STILL_BRANDS
