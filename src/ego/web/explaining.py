"""Errors of Ego -> messages on the page."""

from collections.abc import Callable
from functools import wraps
from html import escape
from typing import Any

import gradio as gr

from ego.errors import EgoError


def explained(act: Callable[..., Any]) -> Callable[..., Any]:
    """Show an error of Ego as a message on the page."""

    @wraps(act)
    def acted(*values: Any) -> Any:
        try:
            return act(*values)
        except EgoError as error:
            raise message(str(error)) from error

    return acted


def message(text: str) -> gr.Error:
    """Say something to the user in place of a result; what stands in it is never read as HTML."""
    return gr.Error(escape(text), print_exception=False)
