"""A picture -> the bytes of a small JPEG that tells nothing but what it shows."""

import io

from PIL import Image

THUMBNAIL_SIDE = 128  # pixels


def thumbnail(picture: Image.Image) -> bytes:
    """Make a small JPEG of a picture, at most 128 pixels a side; no comment, profile or other metadata goes into it."""
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    bare = Image.frombytes("RGB", small.size, small.tobytes())
    buffer = io.BytesIO()
    bare.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
