"""The tab that looks: who is in a picture or clip, how sure, where, when; and the user's yes and no."""

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from ego.web import actions
from ego.web.camera import camera
from ego.web.desk import Desk, message
from ego.web.figures import figures


class WhoTab:
    """Widgets and what happens to them."""

    def __init__(self, desk: Desk) -> None:
        """Build the tab where the page stands now."""
        self._personal = desk.personal
        self._looked, self._path = gr.State(None), gr.State("")
        with gr.Row():
            with gr.Column():
                file = gr.File(label="A photo or a clip", type="filepath", elem_id="who-file")
                photographed = camera("who-camera")
            with gr.Column():
                picture = gr.HTML(elem_id="who-picture")
                table = gr.HTML(elem_id="who-table")
        with gr.Row():
            self._name = gr.Dropdown([], label="Thing", elem_id="who-name")
            show = gr.Button("Show where", elem_id="who-show")
            words = (gr.Button("Yes", elem_id="who-yes"), gr.Button("No", elem_id="who-no"))
            undo = gr.Button("Take back", elem_id="who-undo")
        heat = gr.HTML(elem_id="who-heat")
        shown = [self._looked, self._path, picture, table, self._name]
        for given in (file, photographed):
            given.change(desk.handler(self.see), given, [*shown, heat], show_progress_on=picture)
        show.click(desk.handler(self.where), [self._looked, self._name], heat)
        for button, there in zip(words, (True, False), strict=True):
            button.click(desk.handler(self.saying(there)), [self._path, self._name], shown, show_progress_on=picture)
        undo.click(desk.handler(self.take_back), self._path, shown, show_progress_on=picture)

    def see(self, given: str | None) -> Any:
        """Look at what was dropped, or photographed; the heat of what was seen before goes."""
        return *self._seen(given), ""

    def where(self, seen: actions.Looked | None, who: str | None) -> Any:
        """Draw the heat of one thing."""
        if seen is None or not who:
            raise message("drop a photo first, then choose a thing")
        return figures([(seen.heat(who), f"Where {who} was seen")])

    def saying(self, there: bool) -> Callable[..., Any]:
        """Keep the user's yes, or no, and look again."""

        def said(given: str, who: str | None) -> Any:
            if not given or not who:
                raise message("drop a photo first, then choose a thing")
            self._personal.correct(who, given, there=there)
            gr.Info(f"Kept: {escape(who)} is {'' if there else 'not '}there.")
            return self._seen(given, who)

        return said

    def take_back(self, given: str) -> Any:
        """Undo the last correction and look again."""
        gr.Info("Taken back." if self._personal.corrections.undo() else "There was nothing to take back.")
        return self._seen(given)

    def _seen(self, given: str | None, who: str | None = None) -> tuple[Any, ...]:
        if not given:
            return None, "", "", "", gr.Dropdown(choices=[], value=None)
        seen = actions.look(self._personal, given)
        names = [one.name for one in seen.found]
        choice = gr.Dropdown(choices=names, value=who or next(iter(names), None))
        return seen, given, figures([(seen.marked, "Who is where")]), found_table(seen), choice


def found_table(seen: actions.Looked) -> str:
    """Write what was found as an HTML table."""
    if not seen.found:
        return "<p>No thing is remembered yet; add one under “Things”.</p>"
    rows = "".join(
        f"<tr><td>{escape(one.name)}</td><td>{'yes' if one.present else 'no'}</td><td>{one.probability:.2f}</td>"
        f"<td>{', '.join(f'{moment:.1f} s' for moment in one.seen_at)}</td></tr>"
        for one in seen.found
    )
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("thing", "there", "how sure", "when in a clip"))
    return f'<table class="found"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
