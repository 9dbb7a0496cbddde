"""What is done to remembered things as a whole: rename, delete, export, import."""

from typing import Any

import gradio as gr

from ego.web import actions
from ego.web.desk import Desk, message
from ego.web.things_tab import ThingsTab


class Manager:
    """Widgets and what happens to them; they stand below the things."""

    def __init__(self, desk: Desk, things: ThingsTab) -> None:
        """Build them where the page stands now."""
        self._desk, self._personal, self._things = desk, desk.personal, things
        with gr.Accordion("Rename, delete, export, import", open=False, elem_id="manage"):
            new_name = gr.Textbox(label="New name", elem_id="rename-to")
            rename = gr.Button("Rename", elem_id="rename")
            sure = gr.Checkbox(label="Yes, forget it for good", elem_id="delete-sure")
            delete = gr.Button("Delete", variant="stop", elem_id="delete")
            export = gr.Button("Export", elem_id="export")
            exported = gr.File(label="Exported", interactive=False, elem_id="exported")
            imported = gr.File(label="Import a thing (.ego)", file_types=[".ego"], elem_id="import")
        handler, chosen, shown = desk.handler, things.chosen, things.shown
        quiet = {"show_progress": "hidden"}  # else an error covers what is to be corrected
        rename.click(handler(self.rename), [chosen, new_name], [*shown, new_name], **quiet)
        delete.click(handler(self.delete), [chosen, sure], [*shown, sure], **quiet)
        export.click(handler(self.export), chosen, exported)
        imported.upload(handler(self.take_in), imported, [*shown, imported])

    def rename(self, called: str | None, wanted: str) -> Any:
        """Give the chosen thing another name."""
        self._personal.store.rename(_some(called), wanted)
        return *self._things.listed(wanted), ""

    def delete(self, called: str | None, certain: bool) -> Any:
        """Forget the chosen thing, if the user is certain."""
        if not certain:
            raise message("tick the box first: a deleted thing is gone for good")
        self._personal.forget(_some(called))
        return *self._things.listed(), False

    def export(self, called: str | None) -> str:
        """Write the chosen thing to a file."""
        return str(actions.saved(self._personal.store.get(_some(called)), self._personal, self._desk.folder))

    def take_in(self, given: str | None) -> Any:
        """Import a thing from a file."""
        self._desk.require_room()
        return *self._things.listed(self._personal.store.import_file(given) if given else None), None


def _some(called: str | None) -> str:
    if not called:
        raise message("no thing is remembered yet; add one first")
    return called
