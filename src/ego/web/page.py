"""The page: four tabs over one personalizer. What they do stands in `actions`."""

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from ego.personalizer import Ego
from ego.web.album_tab import AlbumTab
from ego.web.ask_tab import AskTab
from ego.web.things_tab import ThingsTab
from ego.web.who_tab import WhoTab

STYLE = """
.gradio-container { max-width: 70rem !important; margin: 0 auto; }
table.found { border-collapse: collapse; width: 100%; }
table.found th, table.found td { border-bottom: 1px solid #8886; padding: .4rem .6rem; text-align: left; }
@media (max-width: 640px) {
  .gradio-container, .gradio-container .fillable, .gradio-container .app, .gradio-container main {
    padding: .5rem .25rem !important;
  }
}
"""
FONTS = ["system-ui", "sans-serif"]  # nothing is fetched from elsewhere
CODE_FONTS = ["ui-monospace", "monospace"]


def look_of_the_page() -> Any:
    """Give the theme: large enough to touch, fonts of the system."""
    return gr.themes.Default(primary_hue="indigo", text_size="lg", font=FONTS, font_mono=CODE_FONTS)


def build_page(personal: Ego) -> gr.Blocks:
    """Build the page over a model and its library."""
    folder = Path(tempfile.mkdtemp(prefix="ego-web-"))
    with gr.Blocks(title="Ego", analytics_enabled=False) as page:
        gr.Markdown("# Ego\nYour things, found in your pictures.")
        with gr.Tab("Look"):
            WhoTab(personal)
        with gr.Tab("Ask"):
            AskTab(personal)
        with gr.Tab("Things"):
            ThingsTab(personal, page, folder)
        with gr.Tab("Album"):
            AlbumTab(personal, page)
    return page


def page_app(personal: Ego, password: str | None = None) -> FastAPI:
    """Make the page an application for a web server.

    Args:
        personal: The model with its library.
        password: What the user `ego` is asked for; None asks for nothing.
    """
    app: FastAPI = gr.mount_gradio_app(
        FastAPI(),
        build_page(personal).queue(),
        path="/",
        auth=("ego", password) if password else None,
        theme=look_of_the_page(),
        css=STYLE,
        footer_links=[],
        ssr_mode=False,
        show_error=True,
    )
    return app
