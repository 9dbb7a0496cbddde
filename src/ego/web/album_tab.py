"""The tab of the album: scan a folder, look through what was found, filter it by thing and by day."""

from datetime import date
from pathlib import Path
from typing import Any

import gradio as gr

from ego.album.find import Match, Question, find
from ego.album.index import AlbumIndex
from ego.album.scan import Progress, scan
from ego.errors import InputError
from ego.web.album_pictures import marked_thumbnail
from ego.web.desk import Desk, explained
from ego.web.review import Review

PAGE = 48  # pictures that are shown at once


class AlbumTab:
    """Widgets and what happens to them."""

    def __init__(self, desk: Desk, page: gr.Blocks) -> None:
        """Build the tab where the page stands now."""
        self._desk, self._personal = desk, desk.personal
        self._index = AlbumIndex(desk.personal.store.folder)
        with gr.Row():
            folder = gr.Textbox(label="Folder of photos and clips on this machine", elem_id="scan-folder")
            start = gr.Button("Scan", variant="primary", elem_id="scan")
        told = gr.Markdown("Photos are only read. Next time only what is new is looked at.", elem_id="scan-told")
        names = gr.CheckboxGroup([], label="Show pictures with all of", elem_id="album-names")
        without = gr.CheckboxGroup([], label="and without", elem_id="album-without")
        with gr.Row():
            since = gr.Textbox(label="From day", placeholder="2026-01-31", elem_id="album-since")
            until = gr.Textbox(label="To day", placeholder="2026-12-31", elem_id="album-until")
        count = gr.Markdown(elem_id="album-count")
        gallery = gr.Gallery(
            label="Found",
            columns=4,
            height="auto",
            object_fit="contain",
            visible=False,
            buttons=["fullscreen"],
            elem_id="album",
        )
        further = gr.Button("Show more", elem_id="album-more")
        most = gr.State(PAGE)
        asked, shown = [names, without, since, until, most], [gallery, count, further]
        review = Review(desk, self._index)
        page.load(desk.handler(self.opened), None, [names, without, *shown, *review.shown])
        start.click(self.scanned, folder, [told, names, without, *shown, *review.shown], show_progress_on=told)
        for widget in (names, without):
            widget.input(desk.handler(self.again), asked[:-1], [most, *shown], trigger_mode="always_last")
        for widget in (since, until):
            widget.submit(desk.handler(self.again), asked[:-1], [most, *shown], trigger_mode="always_last")
            widget.blur(desk.handler(self.again), asked[:-1], [most, *shown], trigger_mode="always_last")
        further.click(desk.handler(self.more), asked, [most, *shown])
        review.answered(desk.handler(self.chosen), asked, shown)

    def opened(self) -> Any:
        """Read the index anew."""
        names = list(self._index.names().values()) if self._index.exists else []
        filters = gr.CheckboxGroup(choices=names, value=[]), gr.CheckboxGroup(choices=names, value=[])
        return *filters, *self.chosen([], [], "", "", PAGE), *Review.begun(self._index)

    def again(self, wanted: list[str], unwanted: list[str], since: str, until: str) -> Any:
        """Answer another question from its first picture on."""
        return PAGE, *self.chosen(wanted, unwanted, since, until, PAGE)

    def more(self, wanted: list[str], unwanted: list[str], since: str, until: str, most: int) -> Any:
        """Show more pictures of the same question."""
        return most + PAGE, *self.chosen(wanted, unwanted, since, until, most + PAGE)

    def chosen(self, wanted: list[str], unwanted: list[str], since: str, until: str, most: int) -> Any:
        """List the pictures with all of the chosen things and none of the others."""
        if not self._index.exists:
            return gr.Gallery([], visible=False), "", gr.Button(visible=False)
        question = Question(
            names=tuple(wanted),
            without=tuple(unwanted),
            since=_day(since),
            until=_day(until),
            otherwise=self._personal.config.threshold,
        )
        matches = find(self._index, question)
        small = [(marked_thumbnail(match, self._desk.folder), match) for match in matches[:most]]
        found = [(str(path), _caption(match)) for path, match in small if path]
        count = f"{len(matches)} picture{'' if len(matches) == 1 else 's'}"
        return gr.Gallery(found, visible=bool(found)), count, gr.Button(visible=most < len(matches))

    def scanned(self, place: str, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008 - how Gradio is told
        """Scan a folder, and say how far it is."""

        def show(step: Progress) -> None:
            progress((step.done, step.total), desc=f"{step.rate:.1f} pictures a second, {step.left:.0f} s left")

        with explained():
            if not place.strip():
                raise InputError("write which folder to scan")
            summary = scan(self._personal, self._index, [Path(place.strip()).expanduser()], on_progress=show)
            left = f", {len(summary.problems)} left out" if summary.problems else ""
            return f"{summary.looked} looked at, {summary.unchanged} known already{left}.", *self.opened()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError as error:
        raise InputError(f"{text!r} is no day; write it as 2026-01-31") from error


def _caption(match: Match) -> str:
    seen = ", ".join(f"{one.name} {one.probability:.2f}" for one in match.seen)
    moments = sorted({moment for one in match.seen for moment in one.moments})
    return seen + (f" (clip, at {', '.join(f'{moment:.1f}' for moment in moments)} s)" if moments else "")
