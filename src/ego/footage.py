"""Whatever a user hands over to look at -> upright pictures: an image, an animation, a video, or a list of images.

Which of them a file is, its content says, never its suffix.
"""

from collections.abc import Sequence
from typing import TypeAlias

from PIL import Image

from ego import limits
from ego.concept import ImageSource
from ego.errors import ImageError, InputError, VideoError
from ego.media.animation import animation_frames, is_animation
from ego.media.formats import SIGNED, UNSIGNED, identify
from ego.media.picture import Frame, LoadedImage
from ego.media.reading import read_image, read_opened
from ego.media.source import TimedStream, TooSlowError, label_of, opened
from ego.media.unreadable import explained
from ego.video.opening import UNREADABLE, opened_pictures
from ego.video.reading import frames_of_stream, require_count

QueryImage: TypeAlias = ImageSource | Sequence[ImageSource]


def query_frames(image: QueryImage, count: int) -> tuple[Frame, ...]:
    """Read what a query looks at: one picture, the pictures of a list, or `count` frames of a video or animation.

    Raises:
        ImageError: If an image cannot be used, or a file is neither an image nor a video.
        VideoError: If a video cannot be used.
        InputError: If the list is empty or too long.
    """
    if isinstance(image, Sequence) and not isinstance(image, (str, bytes)):
        if not image:
            raise InputError("the list of frames is empty; give at least one image")
        if len(image) > limits.FRAMES:
            raise InputError(f"a list of {len(image)} frames was given; at most {limits.FRAMES} are looked at")
        return tuple(Frame(read_image(frame).picture) for frame in image)
    seen = _seen(image, count)
    return (Frame(seen.picture),) if isinstance(seen, LoadedImage) else seen


def reference_images(source: ImageSource, count: int) -> tuple[LoadedImage, ...]:
    """Read what a concept is introduced from: a photo, or `count` frames of a video or animation.

    Raises:
        ImageError: If an image cannot be used, or a file is neither an image nor a video.
        VideoError: If a video cannot be used.
    """
    seen = _seen(source, count)
    if isinstance(seen, LoadedImage):
        return (seen,)
    return tuple(LoadedImage(frame.picture, f"{label_of(source)} at {frame.seconds:.1f} s") for frame in seen)


def _seen(source: ImageSource, count: int) -> LoadedImage | tuple[Frame, ...]:
    require_count(count)
    if isinstance(source, Image.Image):
        return read_image(source)
    label = label_of(source)
    with opened(source, limits.VIDEO_BYTES, ImageError) as file:
        stream = TimedStream(file, limits.READ_SECONDS)
        with explained(label):
            seen = _image_or_animation(stream, label, SIGNED, count)
        if seen is None and _holds_pictures(stream, label):
            seen = frames_of_stream(stream, label, count)
        if seen is None:
            with explained(label):
                seen = _image_or_animation(stream, label, UNSIGNED, count)
    if seen is None:
        raise ImageError(f"{label} is neither an image nor a video of a known format; convert it to JPEG or MP4")
    return seen


def _image_or_animation(
    stream: TimedStream, label: str, formats: Sequence[str], count: int
) -> LoadedImage | tuple[Frame, ...] | None:
    image = identify(stream, label, formats)
    if image is None:
        return None
    if count > 1 and is_animation(image):
        return animation_frames(image, count, label)
    return read_opened(image, stream, label)


def _holds_pictures(stream: TimedStream, label: str) -> bool:
    """Tell a video from something else altogether; a video that is of no use is an error of its own."""
    try:
        with opened_pictures(stream, label):
            return True
    except TooSlowError as error:
        raise VideoError(f"{label} cannot be read as a video ({error}); convert it to MP4 (H.264)") from error
    except UNREADABLE:
        return False
