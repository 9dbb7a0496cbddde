"""Pictures of an album -> small ones in a folder, made once; a clip is shown by its first frame."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ego.album.picture_file import Kind
from ego.atomic_file import write_file
from ego.errors import ImageError, VideoError
from ego.media import read_image
from ego.video import read_frames

SIDE = 480  # pixels of a thumbnail's longest side


@dataclass(frozen=True)
class Thumbnail:
    """A small picture on disk, and its size."""

    path: Path
    width: int
    height: int


def thumbnail_of(picture: str, kind: Kind, folder: Path) -> Thumbnail | None:
    """Make the small picture of a file, unless it is there already; None if the file left, or cannot be read.

    Args:
        picture: The file.
        kind: Image or video.
        folder: Where small pictures are kept.
    """
    path = Path(picture)
    try:
        told = f"{picture} {path.stat().st_mtime_ns}"
    except OSError:
        return None
    target = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:24]}.webp"
    if not target.is_file():
        try:
            shown = (read_frames(path, 1)[0] if kind == "video" else read_image(path)).picture.copy()
        except (ImageError, VideoError):
            return None
        shown.thumbnail((SIDE, SIDE))
        blob = io.BytesIO()
        shown.save(blob, "WEBP", quality=80)
        write_file(target, blob.getvalue())
    with Image.open(target) as small:
        return Thumbnail(target, *small.size)
