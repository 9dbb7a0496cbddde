"""Matches -> a folder with a page: thumbnails, names, boxes, a filter by concept; it needs no server and no network."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from ego.album.find import Match, Seen, counts
from ego.atomic_file import write_file
from ego.errors import ImageError, InputError, VideoError
from ego.media import read_image
from ego.video import read_frames

PAGE = "index.html"
THUMBNAILS = "thumbnails"
SIDE = 480  # pixels of a thumbnail's longest side


@dataclass(frozen=True)
class _Thumbnail:
    """A small picture on disk: its address from the page, and its size."""

    address: str
    width: int
    height: int


def write_gallery(matches: Sequence[Match], folder: Path, *, title: str = "Album") -> Path:
    """Write the page and its thumbnails; thumbnails that are there already are kept.

    Returns:
        The page.

    Raises:
        InputError: If the folder cannot be written.
    """
    try:
        (folder / THUMBNAILS).mkdir(parents=True, exist_ok=True)
        items = [item for match in matches if (item := _item(match, folder)) is not None]
        page = folder / PAGE
        write_file(page, _render(items, counts(matches), title).encode())
    except OSError as error:
        raise InputError(
            f"{folder} cannot be filled ({error.strerror or error}); choose a folder that can be written"
        ) from error
    return page


def _render(items: list[dict[str, Any]], names: dict[str, int], title: str) -> str:
    source = (files("ego.album") / "gallery.html").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(source)
    return page.render(items=items, names=names, title=title)


def _item(match: Match, folder: Path) -> dict[str, Any] | None:
    small = _thumbnail(match, folder)
    if small is None:
        return None
    names = [one.name for one in match.seen]
    return {
        "href": Path(match.path).as_uri(),
        "thumbnail": small.address,
        "width": small.width,
        "height": small.height,
        "alt": f"{'Clip' if match.kind == 'video' else 'Photo'} with {', '.join(names)}",
        "names": names,
        "seen": [{"name": one.name, "how_sure": _how_sure(one)} for one in match.seen],
        "boxes": [_box(one) for one in match.seen if one.box is not None],
        "taken": match.taken[:10],
        "file": Path(match.path).name,
    }


def _how_sure(one: Seen) -> str:
    moments = ", ".join(f"{int(moment // 60)}:{moment % 60:04.1f}" for moment in one.moments)
    return f"{one.probability:.2f}" + (f" at {moments}" if moments else "")


def _box(one: Seen) -> dict[str, Any]:
    left, top, right, bottom = (100 * side for side in one.box or (0, 0, 1, 1))
    sides = {"left": left, "top": top, "width": right - left, "height": bottom - top}
    return {"name": one.name} | {side: f"{value:.2f}" for side, value in sides.items()}


def _thumbnail(match: Match, folder: Path) -> _Thumbnail | None:
    """Make the small picture of a match once; a picture that left since the scan has none."""
    path = Path(match.path)
    try:
        told = f"{match.path} {path.stat().st_mtime_ns}"
    except OSError:
        return None
    name = f"{hashlib.sha256(told.encode()).hexdigest()[:24]}.webp"
    target = folder / THUMBNAILS / name
    if not target.is_file():
        try:
            picture = (read_frames(path, 1)[0] if match.kind == "video" else read_image(path)).picture
        except (ImageError, VideoError):
            return None
        picture = picture.copy()
        picture.thumbnail((SIDE, SIDE))
        _save(picture, target)
    with Image.open(target) as small:
        return _Thumbnail(f"{THUMBNAILS}/{name}", *small.size)


def _save(picture: Image.Image, target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    picture.save(unfinished, "WEBP", quality=80)
    unfinished.replace(target)
