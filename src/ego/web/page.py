"""The page: four tabs over one personalizer. What they do stands in `actions`."""

from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.routes import App as GradioApp
from starlette.routing import Mount

from ego.web.album_tab import AlbumTab
from ego.web.ask_tab import AskTab
from ego.web.desk import Desk
from ego.web.manager import Manager
from ego.web.review import KEYS
from ego.web.things_tab import ThingsTab
from ego.web.who_tab import WhoTab

STYLE = """
.gradio-container { margin: 0 auto; max-width: 70rem !important; width: 100% !important; }
.gradio-container main, .gradio-container .fillable { width: 100% !important; }
#album, #album .grid-wrap { height: auto !important; max-height: none !important; min-height: 0 !important; }
#album:has(.preview), #album:has(.preview) > div { height: min(40rem, 80vh) !important; }
#scan-told:has(.pending), #story:has(.pending) { min-height: 5rem; } /* a bar stands here */
#story ol { padding-left: 1rem; } /* room for numbers of two digits */
#scan-told .pending, #story .pending { visibility: hidden; } /* else what was said before lies under the bar */
#things .grid-wrap, #album .grid-wrap { padding-top: 2.5rem; } /* else the label lies on the first picture */
#things .caption-label, #album .caption-label, #album .caption {
  max-width: calc(100% - 1rem); overflow-wrap: anywhere; white-space: normal; /* a name is never cut short */
}
table.found { border-collapse: collapse; width: 100%; }
table.found, table.found thead, table.found tr { border: 0 !important; }
table.found th, table.found td {
  border: solid #8886 !important; border-width: 0 0 1px !important; padding: .4rem .6rem; text-align: left;
}
.kept { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.kept figure { margin: 0; max-width: 48rem; }
.kept img { height: auto; width: 100%; }
#things .grid-container { grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)) !important; }
#album .grid-container { grid-template-columns: repeat(auto-fill, minmax(min(13rem, 40%), 1fr)) !important; }
.gradio-container button button { display: none; } /* a button in a button, with a name that is none */
.gradio-container .or, .gradio-container input.subdued { color: inherit; } /* theirs can hardly be read */
@media (max-width: 640px) {
  .gradio-container, .gradio-container .fillable, .gradio-container .app, .gradio-container main {
    padding: .5rem .25rem !important;
  }
}
"""
ICON = """\
<link rel="icon" href="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>\
<circle cx='8' cy='8' r='8' fill='%234f46e5'/><circle cx='8' cy='8' r='3' fill='white'/></svg>">
"""  # else browsers ask for one beside the page, where a service wants a key
FONTS = ["system-ui", "sans-serif"]  # nothing is fetched from elsewhere
CODE_FONTS = ["ui-monospace", "monospace"]


def look_of_the_page() -> Any:
    """Give the theme: large enough to touch, fonts of the system, white on a blue that is dark enough for it."""
    theme = gr.themes.Default(primary_hue="indigo", text_size="lg", font=FONTS, font_mono=CODE_FONTS)
    return theme.set(button_primary_background_fill="*primary_600", button_primary_background_fill_hover="*primary_700")


def build_page(desk: Desk, *, album: bool = True) -> gr.Blocks:
    """Build the page over a model and its library.

    Args:
        desk: What it works with.
        album: Whether folders of the machine may be looked through.
    """
    with gr.Blocks(title="Ego", analytics_enabled=False) as page:
        gr.Markdown("# Ego\nYour things, found in your pictures.")
        with gr.Tabs(overflow_behavior="wrap"):
            with gr.Tab("Look"):
                WhoTab(desk)
            with gr.Tab("Ask"):
                AskTab(desk)
            with gr.Tab("Things"):
                Manager(desk, ThingsTab(desk, page))
            if album:
                with gr.Tab("Album"):
                    AlbumTab(desk, page)
                page.load(None, None, None, js=KEYS)
    return page


def end_streams(app: FastAPI) -> None:
    """End the streams by which open pages wait for news, so that nobody waits for them when the server stops."""
    for route in app.routes:
        if isinstance(route, Mount) and isinstance(route.app, GradioApp):
            route.app.stop_event.set()


def page_app(desk: Desk, *, password: str | None = None, album: bool = True, root: str = "") -> FastAPI:
    """Make the page an application for a web server.

    Args:
        desk: What it works with.
        password: What the user `ego` is asked for; None asks for nothing.
        album: Whether folders of the machine may be looked through.
        root: Path under which the application stands, such as "/web".
    """
    app: FastAPI = gr.mount_gradio_app(
        FastAPI(),
        build_page(desk, album=album).queue(),
        path="/",
        auth=("ego", password) if password else None,
        root_path=root or None,
        run_history=False,  # answers about people's photos stay out of the browser's memory
        theme=look_of_the_page(),
        css=STYLE,
        head=ICON,
        footer_links=[],
        ssr_mode=False,
        show_error=True,
    )
    return app
