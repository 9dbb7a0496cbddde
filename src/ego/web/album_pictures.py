"""Pictures of an album, small, with a box around everything that was seen; made once while the page is open."""

import hashlib
import io
from pathlib import Path

from PIL import Image

from ego.album.find import Match
from ego.album.thumbnails import thumbnail_of
from ego.atomic_file import write_file
from ego.web.marking import mark


def marked_thumbnail(match: Match, folder: Path) -> Path | None:
    """Draw a small picture with its boxes; None if the picture left since the scan.

    Args:
        match: The picture, and what was seen in it.
        folder: Where small pictures are kept.
    """
    small = thumbnail_of(match.path, match.kind, folder)
    if small is None:
        return None
    boxes = [(one.name, one.box) for one in match.seen if one.box is not None]
    if not boxes:
        return small.path
    digest = hashlib.sha256(repr(boxes).encode()).hexdigest()[:12]
    target = small.path.with_name(f"{small.path.stem}-{digest}.webp")
    if not target.is_file():
        with Image.open(small.path) as plain:
            picture = plain.convert("RGB")
        for name, box in boxes:
            mark(picture, box, name)
        blob = io.BytesIO()
        picture.save(blob, "WEBP", quality=85)
        write_file(target, blob.getvalue())
    return target
