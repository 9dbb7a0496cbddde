"""The tab of the album: scan a folder, look through what was found, answer what is uncertain."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ego.album.find import Match, Question, find
from ego.album.index import AlbumIndex
from ego.album.scan import Progress, scan
from ego.errors import EgoError
from ego.media import read_image
from ego.personalizer import Ego
from ego.web.explaining import explained, message

UNCERTAIN = (0.2, 0.8)  # probabilities between which a find is put before the user
SHOWN = 200  # most pictures of the gallery at once
KEYS = """
() => document.addEventListener("keydown", event => {
  if (["INPUT", "TEXTAREA"].includes(event.target.tagName)) return;
  const button = { y: "review-yes", n: "review-no", s: "review-skip" }[event.key];
  if (button) document.querySelector(`#${button}`)?.click();
})
"""
Doubt = tuple[str, str]  # path and name


class AlbumTab:
    """Widgets and what happens to them."""

    def __init__(self, personal: Ego, page: gr.Blocks) -> None:
        """Build the tab where the page stands now."""
        self._personal, self._index = personal, AlbumIndex(personal.store.folder)
        with gr.Row():
            folder = gr.Textbox(label="Folder of photos and clips on this machine", elem_id="scan-folder")
            start = gr.Button("Scan", variant="primary", elem_id="scan")
        told = gr.Markdown(elem_id="scan-told")
        names = gr.CheckboxGroup([], label="Show pictures with all of", elem_id="album-names")
        gallery = gr.Gallery(label="Found", columns=4, height="auto", object_fit="contain", elem_id="album")
        gr.Markdown("### Not sure\nKeys: **y** yes, **n** no, **s** skip.")
        asked = gr.Markdown(elem_id="review-asked")
        picture = gr.Image(label="Is it there?", interactive=False, elem_id="review-picture", height=320)
        with gr.Row():
            buttons = [gr.Button(word, elem_id=f"review-{word.lower()}") for word in ("Yes", "No", "Skip")]
        queue = gr.State([])
        shown = [gallery, names, asked, picture, queue]
        page.load(explained(self.refreshed), None, shown)
        page.load(None, None, None, js=KEYS)
        start.click(self.scanned, folder, [told, *shown])
        names.input(explained(self.chosen), names, gallery)
        for button, there in zip(buttons, (True, False, None), strict=True):
            button.click(explained(self.answering(there)), [queue, names], shown)

    def refreshed(self, wanted: list[str] | None = None) -> Any:
        """Read the index anew."""
        if not self._index.exists:
            return [], gr.CheckboxGroup(choices=[]), "", None, []
        known, doubts = list(self._index.names().values()), self._doubts()
        return self.chosen(wanted), gr.CheckboxGroup(choices=known, value=wanted or []), *_asked(doubts), doubts

    def chosen(self, wanted: list[str] | None) -> list[tuple[str, str]]:
        """List the pictures with all of the chosen things."""
        matches = find(self._index, Question(names=tuple(wanted or ()), otherwise=self._personal.config.threshold))
        return [(match.path, _caption(match)) for match in matches if match.kind == "image"][:SHOWN]

    def scanned(self, place: str, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008 - how Gradio is told
        """Scan a folder, and say how far it is."""

        def show(step: Progress) -> None:
            progress((step.done, step.total), desc=f"{step.rate:.1f} pictures a second")

        try:
            summary = scan(self._personal, self._index, [Path(place).expanduser()], on_progress=show)
        except EgoError as error:
            raise message(str(error)) from error
        left = f", {len(summary.problems)} left out" if summary.problems else ""
        return f"{summary.looked} looked at, {summary.unchanged} known already{left}.", *self.refreshed()

    def answering(self, there: bool | None) -> Callable[..., Any]:
        """Keep the user's yes or no about the picture in question, or skip it."""

        def answered(queue: list[Doubt], wanted: list[str]) -> Any:
            if not queue:
                raise message("nothing is uncertain")
            (path, name), rest = queue[0], queue[1:]
            if there is None:
                return gr.skip(), gr.skip(), *_asked(rest), rest
            self._personal.correct(name, path, there=there)
            left = [one for one in self._doubts() if one != (path, name)]
            return self.chosen(wanted), gr.skip(), *_asked(left), left

        return answered

    def _doubts(self) -> list[Doubt]:
        """List the least certain finds first."""
        low, high = UNCERTAIN
        doubts = [
            (abs(one.probability - 0.5), match.path, one.name)
            for match in find(self._index, Question(threshold=low))
            if match.kind == "image" and Path(match.path).is_file()
            for one in match.seen
            if one.probability <= high
        ]
        return [(path, name) for _, path, name in sorted(doubts)]


def _asked(queue: list[Doubt]) -> tuple[str, Any]:
    if not queue:
        return "Nothing is uncertain.", None
    path, name = queue[0]
    return f"**Is this {escape(name)}?** {len(queue)} to go.", read_image(path).picture


def _caption(match: Match) -> str:
    return ", ".join(f"{one.name} {one.probability:.2f}" for one in match.seen)
