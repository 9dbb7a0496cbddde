"""The tab of remembered things: add, see what was kept, correct by a box."""

import io
from dataclasses import dataclass
from typing import Any

import gradio as gr
from PIL import Image, ImageDraw, ImageFont

from ego.concept import ImageSource, name_key, possible_key
from ego.footage import reference_images
from ego.memory import ConceptMemory
from ego.web import actions
from ego.web.camera import camera
from ego.web.desk import Desk, message
from ego.web.figures import figures
from ego.web.marking import Corner, cornered

OPPOSITE = "Click two opposite corners of the thing in the photo, or write the box; then use it."


@dataclass(frozen=True, eq=False)
class Added:
    """The thing that was added last, and what it was added from: what a box can correct."""

    name: str
    sources: tuple[ImageSource, ...]

    def photo(self, number: int) -> Image.Image:
        """Read one of the photos, counted from 0."""
        return reference_images(self.sources[number], 1)[0].picture


class ThingsTab:
    """Widgets and what happens to them."""

    def __init__(self, desk: Desk, page: gr.Blocks) -> None:
        """Build the tab where the page stands now."""
        self._desk, self._personal = desk, desk.personal
        self._gallery = gr.Gallery(
            label="My things",
            columns=6,
            height=240,
            fit_columns=False,
            object_fit="contain",
            allow_preview=False,
            buttons=[],
            elem_id="things",
        )
        self.chosen = gr.Dropdown([], label="Thing", elem_id="things-chosen")
        self.shown = [self._gallery, self.chosen]
        self._added, self._corners = gr.State(None), gr.State([])
        self._build_adding()
        self._build_correcting()
        page.load(desk.handler(self.listed), None, self.shown)
        self._gallery.select(desk.handler(self.pick), None, self.chosen)
        self.chosen.change(desk.handler(self.told), [self.chosen, self._added], [self._story, self._kept])

    def _build_adding(self) -> None:
        with gr.Accordion("Add a thing", open=True):
            name = gr.Textbox(label="What do you call it?", elem_id="add-name")
            files = gr.File(label="Photos of it, or a clip", file_count="multiple", elem_id="add-files")
            photographed = camera("add-camera")
            words = gr.Textbox(label="What it is, in your words (optional)", elem_id="add-words")
            more = gr.Checkbox(label="It is remembered already: add these photos to it", elem_id="add-more")
            add = gr.Button("Remember it", variant="primary", elem_id="add")
        self._story = gr.Markdown("Nothing is remembered yet.", elem_id="story")
        self._kept = gr.HTML(elem_id="kept")
        photographed.change(_with_one_more, [files, photographed], [files, photographed])
        self._adding = add, [name, files, words, more, self._added]

    def _build_correcting(self) -> None:
        with gr.Accordion("Not right? Draw a box", open=False, elem_id="correct"):
            gr.Markdown(OPPOSITE)
            which = gr.Radio([], label="Photo", visible=False, elem_id="correct-which", type="index")
            photo = gr.Image(
                label="Photo", interactive=False, visible=False, buttons=[], elem_id="correct-photo", format="jpeg"
            )
            box = gr.Textbox(
                label="Box: left, top, right, bottom, in pixels of the photo",
                placeholder="120, 80, 460, 400",
                elem_id="correct-box",
            )
            use = gr.Button("Use this box", elem_id="correct-use")
        add, given = self._adding
        told, correcting = [*self.shown, self._story, self._kept], [which, photo, box, self._corners]
        handler = self._desk.handler
        add.click(handler(self.remember), given, [*told, self._added, *correcting], show_progress_on=self._story)
        which.input(handler(self.turn_to), [self._added, which], [photo, box, self._corners])
        photo.select(handler(self.mark), [self._added, which, self._corners], [photo, box, self._corners])
        use.click(handler(self.correct), [self._added, which, box], told, show_progress_on=self._story)

    def listed(self, wanted: str | None = None) -> Any:
        """Show every thing, and choose one."""
        memories = self._personal.memories
        names = [memory.name for memory in memories]
        pictures = [(_thumbnail(memory), memory.name) for memory in memories]
        value = wanted if wanted in names else (names[-1] if names else None)
        return pictures, gr.Dropdown(choices=names, value=value)

    def pick(self, event: gr.SelectData) -> str:
        """Choose the thing that was clicked."""
        return str(self._personal.memories[event.index].name)

    def told(self, called: str | None, added: Added | None) -> Any:
        """Tell what is known of the chosen thing; pictures are there for the one that was added just now."""
        names = {memory.name: memory for memory in self._personal.memories}
        story = actions.described(names[called]) if called in names else "Nothing is remembered yet."
        return story, gr.skip() if added and added.name == called else ""

    def remember(self, called: str, given: list[str] | None, said: str, more: bool, before: Added | None) -> Any:
        """Introduce a thing, or add photos to it."""
        if not given:
            raise message("give at least one photo of it")
        if more:
            memory, drawn = actions.add_photos(self._personal, called, given, keywords=said)
            return *self._kept_as(memory, drawn), None, gr.Radio(visible=False), *self.turn_to(None, None)
        if before is None or name_key(before.name) != possible_key(called):
            self._personal.store.require_free(called)
            self._desk.require_room()
        memory, drawn = actions.introduce(self._personal, called, given, keywords=said)
        added = Added(memory.name, tuple(actions.single(self._personal, given)))
        numbers = [str(number + 1) for number in range(len(added.sources))]
        which = gr.Radio(choices=numbers, value=numbers[0], visible=len(numbers) > 1)
        return *self._kept_as(memory, drawn), added, which, *self.turn_to(added, 0)

    def turn_to(self, added: Added | None, number: int | None) -> Any:
        """Show another photo to draw a box in."""
        photo = actions.shown(added.photo(number or 0)) if added else None
        return gr.Image(photo, visible=photo is not None), "", []

    def mark(self, added: Added | None, number: int | None, before: list[Corner], event: gr.SelectData) -> Any:
        """Take a click as a corner of the box; the third one begins another box."""
        if added is None:
            raise message("add a thing first")
        photo = added.photo(number or 0)
        small = actions.shown(photo)
        marked = [*(before if len(before) < 2 else []), (int(event.index[0]), int(event.index[1]))]
        box = actions.box_between(marked[0], marked[1], photo.width / small.width) if len(marked) == 2 else ""
        return cornered(small, marked), box, marked

    def correct(self, added: Added | None, number: int | None, box: str) -> Any:
        """Introduce the thing that was added last anew, by the box."""
        if added is None or not box.strip():
            raise message("add a thing, then click two corners in its photo")
        self._personal.store.get(added.name)  # it may have been renamed or deleted since
        region = actions.region_of(box, added.photo(number or 0).size)
        return self._kept_as(
            *actions.introduce(self._personal, added.name, added.sources, region=region, photo=number or 0)
        )

    def _kept_as(self, memory: Any, drawn: list[actions.Pictured]) -> tuple[Any, ...]:
        return *self.listed(memory.name), actions.described(memory), figures(drawn)


def _with_one_more(paths: list[str] | None, photo: str | None) -> Any:
    """Add a photo from the camera to those that were given, and let the camera take another."""
    return ([*(paths or []), photo], None) if photo else (gr.skip(), gr.skip())


def _thumbnail(memory: ConceptMemory) -> Image.Image:
    """Show the small picture that was kept; the command line keeps one only if asked, and an initial stands for it."""
    if memory.thumbnail is not None:
        return Image.open(io.BytesIO(memory.thumbnail)).convert("RGB")
    tile = Image.new("RGB", (192, 192), "#555")
    font = ImageFont.load_default(96)
    ImageDraw.Draw(tile).text((96, 96), memory.name[0].upper(), fill="white", font=font, anchor="mm")
    return tile
