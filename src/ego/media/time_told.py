"""A photo -> when it was taken, in the words of its EXIF block; no pixel is decoded."""

from PIL import ExifTags

from ego import limits
from ego.concept import ImageSource
from ego.errors import ImageError
from ego.media.formats import identify
from ego.media.source import TimedStream, label_of, opened
from ego.media.unreadable import explained


def time_told(source: ImageSource) -> str:
    """Read when a photo was taken, else when it was changed, as `2024:12:31 23:59:59`; empty if nothing is said.

    Raises:
        ImageError: If it cannot be opened, or is damaged.
    """
    label = label_of(source)
    with explained(label), opened(source, limits.IMAGE_BYTES, ImageError) as file:
        image = identify(TimedStream(file, limits.READ_SECONDS), label)
        details = None if image is None else image.getexif()
        if details is None:
            return ""
        original = details.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
        return str(original or details.get(ExifTags.Base.DateTime) or "").strip("\0 ")
