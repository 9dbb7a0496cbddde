"""One image -> LoadedImage.

What becomes of odd ones: EXIF orientation is applied; colours are brought to sRGB and transparency is laid on white
(`colour`); very large ones are made smaller while they are decoded (`reducing`); of an animation the first frame counts
(of a PIL image, the one it stands at). Everything else is refused.
"""

from PIL import Image
from PIL.ImageFile import ImageFile

from ego import limits
from ego.concept import ImageSource
from ego.errors import ImageError
from ego.media.colour import conversion
from ego.media.formats import identify, require_readable, require_usable
from ego.media.orientation import orientation_of, shown, shown_size
from ego.media.picture import LoadedImage
from ego.media.reducing import converted, decode_smaller
from ego.media.source import TimedStream, label_of, opened
from ego.media.unreadable import explained


def read_image(source: ImageSource) -> LoadedImage:
    """Read an image from a path, the bytes of a file, an open file, or a PIL image (which is left as it is).

    Raises:
        ImageError: If it is missing, empty, damaged, not an image, too large, too small or too long.
    """
    label = label_of(source)
    if isinstance(source, Image.Image):
        with explained(label):
            require_usable(source.size, label)
            return _loaded(source, label)
    with explained(label), opened(source, limits.IMAGE_BYTES, ImageError) as file:
        stream = TimedStream(file, limits.READ_SECONDS)
        image = identify(stream, label)
        if image is None:
            raise ImageError(f"{label} is not an image of a known format; convert it to JPEG or PNG")
        return read_opened(image, stream, label)


def read_opened(image: ImageFile, stream: TimedStream, label: str) -> LoadedImage:
    """Read an image that was identified on a stream.

    Raises:
        ImageError: If it is too large, too small or too long.
    """
    require_readable(image, stream, label)
    full = image.size
    decode_smaller(image)
    return _loaded(image, label, full)


def _loaded(image: Image.Image, label: str, full: tuple[int, int] | None = None) -> LoadedImage:
    """Decode and convert an image; `full` is its size by the header."""
    stored = orientation_of(image)
    image.load()
    require_usable(image.size, label)  # what was decoded may differ from what the header said
    turn = orientation_of(image)  # upright by now where the reader turns, as that of TIFF does
    picture = shown(converted(image, conversion(image)), turn)
    displayed = shown_size(full or image.size, turn)
    return LoadedImage(picture, label, full_size=None if displayed == picture.size else displayed, orientation=stored)
