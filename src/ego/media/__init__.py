"""Images of the user -> upright 8-bit sRGB pictures with a digest, or an ImageError that says what to do.

Reference images and images of queries come in here, once; behind this door every picture is 8-bit sRGB, turned as the
camera meant it, and of a size that a model can use. Videos are read by `ego.video`; `ego.footage` takes either.
"""

from ego.media.formats import FORMATS
from ego.media.picture import Frame, LoadedImage
from ego.media.reading import read_image
from ego.media.thumbnail import thumbnail

__all__ = ["FORMATS", "Frame", "LoadedImage", "read_image", "thumbnail"]
