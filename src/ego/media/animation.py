"""An animated image (GIF, WebP, PNG, AVIF) -> Frames, chosen over time as those of a video are."""

import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from PIL import Image
from PIL.ImageFile import ImageFile

from ego import limits
from ego.errors import ImageError
from ego.media.colour import conversion
from ego.media.colour_marks import CODE_POINTS
from ego.media.orientation import orientation_of, shown
from ego.media.picture import Frame
from ego.media.reducing import converted, kept_size

_MOVING = {"GIF", "WEBP", "PNG", "AVIF"}  # several pages of a TIFF or several views of an MPO are no motion
_UNSAID = 0.1  # seconds a frame is shown that says nothing, or next to nothing, as browsers have it
_NEXT_TO_NOTHING = 0.011
_TOLERANCE = 1e-6  # seconds; sums of floats


def is_animation(image: ImageFile) -> bool:
    """Tell whether an image moves."""
    return image.format in _MOVING and getattr(image, "n_frames", 1) > 1


def animation_frames(image: ImageFile, count: int, label: str) -> tuple[Frame, ...]:
    """Take the frames shown at the middles of `count` equal stretches of an animation; fewer if it has fewer.

    Raises:
        ImageError: If it has too many frames to be decoded in reasonable time.
    """
    _require_short(image, label)
    marks = {name: image.info[name] for name in CODE_POINTS if name in image.info}  # seeking forgets them
    gives_up = time.monotonic() + limits.READ_SECONDS / 2  # the other half for going through it again
    begins = [0.0, *accumulate(_seconds_shown(image) for _ in _all_frames(image, gives_up, label))]
    chosen = _chosen(begins, count)
    pictures = _pictures(image, chosen, marks, min(limits.FRAME_KEPT_PIXELS, limits.FRAMES_PIXELS // count))
    return tuple(Frame(picture, round(begins[number], 6)) for number, picture in zip(chosen, pictures, strict=True))


def _require_short(image: ImageFile, label: str) -> None:
    frames, pixels = getattr(image, "n_frames", 1), image.size[0] * image.size[1]
    most = min(limits.ANIMATION_FRAMES, limits.ANIMATION_PIXELS // pixels)
    if frames > most:
        raise ImageError(
            f"{label} is an animation of {frames:,} frames; at most {most:,} of this size are read; convert it to MP4"
        )


def _all_frames(image: ImageFile, gives_up: float, label: str) -> Iterator[int]:
    """Stand at each frame in turn, decoded: some formats say only then how long it is shown."""
    for number in range(getattr(image, "n_frames", 1)):
        if time.monotonic() > gives_up:
            raise ImageError(f"{label} is an animation that takes too long to be read; convert it to MP4")
        image.seek(number)
        image.load()
        yield number


def _seconds_shown(image: ImageFile) -> float:
    seconds = float(image.info.get("duration") or 0) / 1000
    return seconds if seconds >= _NEXT_TO_NOTHING else _UNSAID


def _chosen(begins: Sequence[float], count: int) -> list[int]:
    """Number the frames that are shown at the middles of equal stretches, each once."""
    moments = ((2 * stretch + 1) * begins[-1] / (2 * count) for stretch in range(count))
    return sorted({min(bisect_right(begins, moment + _TOLERANCE) - 1, len(begins) - 2) for moment in moments})


def _pictures(
    image: ImageFile, numbers: Sequence[int], marks: Mapping[Any, Any], most_pixels: int
) -> Iterator[Image.Image]:
    turn = orientation_of(image)
    for number in numbers:
        image.seek(number)
        image.load()
        image.info.update(marks)
        picture = converted(image, conversion(image))
        size = kept_size(picture.size, most_pixels)
        yield shown(picture if size == picture.size else picture.resize(size, Image.Resampling.BOX), turn)
