"""The tab of remembered things: add, see what was kept, correct by a box, rename, delete, export, import."""

import io
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageDraw

from ego.footage import reference_images
from ego.personalizer import Ego
from ego.web import actions
from ego.web.explaining import explained, message

BLANK = Image.new("RGB", (96, 96), "#777")
Corner = tuple[int, int]


class ThingsTab:
    """Widgets and what happens to them."""

    def __init__(self, personal: Ego, page: gr.Blocks, folder: Path) -> None:
        """Build the tab where the page stands now; files to be downloaded are put into the folder."""
        self._personal, self._folder = personal, folder
        gallery = gr.Gallery(
            label="My things",
            columns=6,
            height=190,
            fit_columns=False,
            object_fit="contain",
            allow_preview=False,
            elem_id="things",
        )
        self._chosen = gr.Dropdown([], label="Thing", elem_id="things-chosen")
        self._shown = [gallery, self._chosen]
        self._paths, self._corners = gr.State([]), gr.State([])
        self._build_adding()
        self._build_managing()
        page.load(explained(self.listed), None, self._shown)

    def _build_adding(self) -> None:
        with gr.Accordion("Add a thing", open=True):
            name = gr.Textbox(label="What do you call it?", elem_id="add-name")
            files = gr.File(label="One or a few photos of it, or a clip", file_count="multiple", elem_id="add-files")
            words = gr.Textbox(label="What it is, in your words (optional)", elem_id="add-words")
            add = gr.Button("Remember it", variant="primary", elem_id="add")
        self._story = gr.Markdown(elem_id="story")
        self._kept = gr.Gallery(
            label="What was kept", columns=2, height="auto", object_fit="contain", elem_id="kept", format="png"
        )
        with gr.Accordion("Not right? Draw a box", open=False, elem_id="correct"):
            gr.Markdown("Click two opposite corners of the thing in the photo, then use the box.")
            photo = gr.Image(label="Photo", interactive=False, elem_id="correct-photo", type="pil")
            use = gr.Button("Use this box", elem_id="correct-use")
        told = [*self._shown, self._story, self._kept]
        add.click(explained(self.remember), [name, files, words], [*told, photo, self._paths, self._corners])
        photo.select(self.mark, [photo, self._corners], [photo, self._corners])
        use.click(explained(self.correct), [self._chosen, self._paths, self._corners], [*told, self._corners])

    def _build_managing(self) -> None:
        with gr.Accordion("Rename, delete, export, import", open=False, elem_id="manage"):
            new_name = gr.Textbox(label="New name", elem_id="rename-to")
            rename = gr.Button("Rename", elem_id="rename")
            sure = gr.Checkbox(label="Yes, forget it for good", elem_id="delete-sure")
            delete = gr.Button("Delete", variant="stop", elem_id="delete")
            export = gr.Button("Export", elem_id="export")
            exported = gr.File(label="Exported", interactive=False, elem_id="exported")
            imported = gr.File(label="Import a thing (.ego)", file_types=[".ego"], elem_id="import")
        quiet = {"show_progress": "hidden"}  # else an error covers what is to be corrected
        rename.click(explained(self.rename), [self._chosen, new_name], [*self._shown, new_name], **quiet)
        delete.click(explained(self.delete), [self._chosen, sure], [*self._shown, sure], **quiet)
        export.click(explained(self.export), self._chosen, exported)
        imported.upload(explained(self.take_in), imported, self._shown)

    def listed(self, wanted: str | None = None) -> Any:
        """Show every thing, and choose one."""
        memories = self._personal.memories
        names = [memory.name for memory in memories]
        pictures = [(_thumbnail(memory.thumbnail), memory.name) for memory in memories]
        value = wanted if wanted in names else (names[-1] if names else None)
        return pictures, gr.Dropdown(choices=names, value=value)

    def remember(self, called: str, given: list[str] | None, said: str) -> Any:
        """Introduce a thing."""
        if not given:
            raise message("give at least one photo of it")
        memory, drawn = actions.introduce(self._personal, called, given, keywords=said)
        first = reference_images(given[0], 1)[0].picture
        return (*self.listed(memory.name), actions.described(memory), drawn, first, given, [])

    def mark(self, image: Image.Image, before: list[Corner], event: gr.SelectData) -> Any:
        """Take a click as a corner of the box."""
        marked = [*before, (int(event.index[0]), int(event.index[1]))][-2:]
        return _drawn(image, marked), marked

    def correct(self, called: str | None, given: list[str], marked: list[Corner]) -> Any:
        """Introduce the thing anew, by the box."""
        if not called or not given or len(marked) < 2:
            raise message("add a thing, then click two corners in its photo")
        region = actions.region_between(*marked)
        memory, drawn = actions.introduce(self._personal, called, given, region=region)
        return (*self.listed(memory.name), actions.described(memory), drawn, [])

    def rename(self, called: str | None, wanted: str) -> Any:
        """Give the chosen thing another name."""
        self._personal.store.rename(called or "", wanted)
        return (*self.listed(wanted), "")

    def delete(self, called: str | None, certain: bool) -> Any:
        """Forget the chosen thing, if the user is certain."""
        if not certain:
            raise message("tick the box first: a deleted thing is gone for good")
        self._personal.forget(called or "")
        return (*self.listed(), False)

    def export(self, called: str | None) -> str:
        """Write the chosen thing to a file."""
        return str(actions.saved(self._personal.store.get(called or ""), self._personal, self._folder))

    def take_in(self, given: str | None) -> Any:
        """Import a thing from a file."""
        return self.listed(self._personal.store.import_file(given) if given else None)


def _thumbnail(blob: bytes | None) -> Image.Image:
    return BLANK if blob is None else Image.open(io.BytesIO(blob)).convert("RGB")


def _drawn(image: Image.Image, corners: list[Corner]) -> Image.Image:
    """Mark the corners, and the box once there are two."""
    picture = image.copy()
    draw = ImageDraw.Draw(picture)
    wide = max(2, picture.width // 150)
    for x, y in corners:
        draw.ellipse((x - 2 * wide, y - 2 * wide, x + 2 * wide, y + 2 * wide), fill="white", outline="black")
    if len(corners) == 2:
        (left, right), (top, bottom) = (sorted(side) for side in zip(*corners, strict=True))
        draw.rectangle((left, top, right, bottom), outline="white", width=wide)
    return picture
