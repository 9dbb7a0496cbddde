"""What is done to remembered things as a whole: rename, delete, export, import."""

from typing import Any
from zipfile import is_zipfile

import gradio as gr

from ego.library.archive import export_library, import_library
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
            with gr.Row():
                export = gr.Button("Export this thing", elem_id="export")
                export_all = gr.Button("Export everything", elem_id="export-all")
            exported = gr.File(label="Exported", interactive=False, elem_id="exported")
            imported = gr.File(label="Import a thing (.ego) or everything (.zip)", elem_id="import")
        handler, chosen, shown = desk.handler, things.chosen, things.shown
        quiet = {"show_progress": "hidden"}  # else an error covers what is to be corrected
        rename.click(handler(self.rename), [chosen, new_name], [*shown, new_name], **quiet)
        delete.click(handler(self.delete), [chosen, sure], [*shown, sure], **quiet)
        export.click(handler(self.export), chosen, exported)
        export_all.click(handler(self.export_all), None, exported)
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

    def export_all(self) -> str:
        """Write all things, with what was said about them, to one file."""
        target = self._desk.folder / "my-things.zip"
        export_library(self._personal.store, target, replace=True)
        return str(target)

    def take_in(self, given: str | None) -> Any:
        """Import a thing, or everything, from a file."""
        self._desk.require_room()
        if not given:
            return *self._things.listed(), None
        store = self._personal.store
        if is_zipfile(given):
            done = import_library(store, given)
            gr.Info(f"{len(done.added)} things added, {len(done.same)} were there already.")
            return *self._things.listed(next(iter(done.added), None)), None
        return *self._things.listed(store.import_file(given)), None


def _some(called: str | None) -> str:
    if not called:
        raise message("no thing is remembered yet; add one first")
    return called
