"""The tab that talks: a question with the memories and the same one without, side by side, as the answers appear."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ego.web import actions
from ego.web.desk import Desk, explained


class AskTab:
    """Widgets and what happens to them."""

    def __init__(self, desk: Desk) -> None:
        """Build the tab where the page stands now."""
        self._desk = desk
        talks = gr.State(None)
        file = gr.File(label="A photo or a clip; none: ask about your things", type="filepath", elem_id="ask-file")
        with gr.Row():
            with_memory, without = (
                gr.Chatbot(label=label, elem_id=name, height=320, buttons=["copy"])
                for label, name in (("With your things", "ask-with"), ("The same without them", "ask-without"))
            )
        question = gr.Textbox(
            label="Question", placeholder="Which side is Bo on?", elem_id="ask-question", submit_btn=True
        )
        everything = [talks, with_memory, without, question]
        file.change(self.begin, file, everything[:3])
        question.submit(self.ask, [file, question, talks, with_memory, without], everything, show_progress="hidden")

    def begin(self, _given: str | None) -> Any:
        """Start anew with another picture."""
        return None, [], []

    def ask(self, given: str | None, text: str, talks: Any, one: list[Any], other: list[Any]) -> Iterator[Any]:
        """Answer with the memories, then without."""
        turn = self._desk.turn
        with explained():
            talks = talks or turn(lambda: self._begun(given))
            one, other = [*one, _said("user", text)], [*other, _said("user", text)]
            yield talks, one, other, ""
            answer = ""
            for answer in actions.stream(talks[0], text, turn):
                yield talks, [*one, _said("assistant", answer)], other, ""
            one = [*one, _said("assistant", answer)]
            for answer in actions.stream(talks[1], text, turn) if talks[1] else ():
                yield talks, one, [*other, _said("assistant", answer)], ""

    def _begun(self, given: str | None) -> Any:
        """Read picture and memories once for the whole conversation; without a picture there is no other side."""
        personal = self._desk.personal
        return personal.chat(given), personal.chat(given, names=[]) if given else None


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
