"""Matches -> a folder with a page: thumbnails, names, boxes, a filter by concept; it needs no server and no network."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from ego.album.find import Match, Seen, counts
from ego.album.thumbnails import thumbnail_of
from ego.atomic_file import make_folder, write_file
from ego.errors import InputError

PAGE = "index.html"
THUMBNAILS = "thumbnails"


def write_gallery(matches: Sequence[Match], folder: Path, *, title: str = "Album") -> Path:
    """Write the page and its thumbnails; thumbnails that are there already are kept.

    Returns:
        The page.

    Raises:
        InputError: If the folder cannot be written.
    """
    try:
        make_folder(folder / THUMBNAILS)
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
    small = thumbnail_of(match.path, match.kind, folder / THUMBNAILS)
    if small is None:
        return None
    names = [one.name for one in match.seen]
    return {
        "href": Path(match.path).as_uri(),
        "thumbnail": f"{THUMBNAILS}/{small.path.name}",
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
