"""The review: the least certain finds of an album, one after the other, answered by yes and no, by mouse or keys."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ego.album.index import AlbumIndex
from ego.album.review import Doubt, doubts
from ego.media import read_image
from ego.web.actions import plain, shown
from ego.web.desk import Desk, message
from ego.web.figures import figures
from ego.web.marking import mark

KEYS = """
() => document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("textarea, select, input:not([type=checkbox], [type=radio])")) return;
  const name = { y: "yes", n: "no", s: "skip", u: "undo" }[event.key.toLowerCase()];
  const button = name && document.querySelector(`#review-${name}`);
  if (button && button.offsetParent !== null) button.click();
})
"""


class Review:
    """Widgets and what happens to them."""

    def __init__(self, desk: Desk, index: AlbumIndex) -> None:
        """Build them where the page stands now."""
        self._desk, self._personal, self._index = desk, desk.personal, index
        gr.Markdown("## Not sure\nKeys: **y** yes, **n** no, **s** skip, **u** take the last answer back.")
        asked = gr.Markdown(elem_id="review-asked")
        picture = gr.HTML(elem_id="review-picture")
        with gr.Row():
            self._buttons = [
                gr.Button(word, elem_id=f"review-{name}")
                for word, name in (("Yes", "yes"), ("No", "no"), ("Skip", "skip"), ("Take back", "undo"))
            ]
        self._queue = gr.State([])
        self.shown = [self._queue, asked, picture]

    def answered(self, then: Callable[..., Any], inputs: list[Any], outputs: list[Any]) -> None:
        """Say what happens to the rest of the tab after an answer."""
        acts = (self.answering(True), self.answering(False), self.skip, self.take_back)
        for button, act in zip(self._buttons, acts, strict=True):
            button.click(self._desk.handler(act), self._queue, self.shown, show_progress="hidden").success(
                then, inputs, outputs, show_progress="hidden"
            )

    def answering(self, there: bool) -> Callable[[list[Doubt]], Any]:
        """Keep the user's yes or no about the picture in question."""

        def answered(queue: list[Doubt]) -> Any:
            if not queue:
                raise message("nothing is uncertain")
            first, *rest = queue
            self._personal.correct(first.name, first.path, there=there)
            still = {(one.path, one.name) for one in doubts(self._index)}
            return _asking([one for one in rest if (one.path, one.name) in still])

        return answered

    def skip(self, queue: list[Doubt]) -> Any:
        """Leave the picture in question open."""
        return _asking(queue[1:])

    def take_back(self, _queue: list[Doubt]) -> Any:
        """Undo the last answer and begin the queue anew."""
        if self._personal.corrections.undo() is None:
            raise message("there is nothing to take back")
        return self.begun(self._index)

    @staticmethod
    def begun(index: AlbumIndex) -> tuple[Any, ...]:
        """Put the least certain find before the user."""
        return _asking(doubts(index) if index.exists else [])


def _asking(queue: Sequence[Doubt]) -> tuple[Any, ...]:
    if not queue:
        return [], "Nothing is uncertain.", ""
    first = queue[0]
    picture = shown(read_image(first.path).picture)
    if first.box is not None:
        mark(picture, first.box, f"{first.name}?")
    return (
        list(queue),
        f"**Is this {plain(first.name)}?** {len(queue)} to go.",
        figures([(picture, f"Is {first.name} there?")]),
    )
