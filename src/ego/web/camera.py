"""The camera of the device the page is open on: one photo, as it is seen by others, never mirrored."""

from typing import Any

import gradio as gr


def camera(name: str) -> Any:
    """Build a camera that is folded away until it is wanted.

    Args:
        name: Identifies it on the page.

    Returns:
        The component; its value is the path of the photo that was taken.
    """
    with gr.Accordion("Use the camera", open=False, elem_id=f"{name}-open"):
        return gr.Image(
            sources=["webcam"],
            type="filepath",
            label="Camera",
            show_label=False,
            buttons=[],
            webcam_options=gr.WebcamOptions(mirror=False),
            elem_id=name,
            format="jpeg",
        )
