"""A folder for everything that was dropped on the page or is shown by it; when the page goes, it goes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DROPPED = "GRADIO_TEMP_DIR"  # where Gradio puts files; it is read when Gradio is imported


@contextmanager
def folder_of_the_page() -> Iterator[Path]:
    """Make the folder, and let Gradio put its files there, too; to be entered before Gradio is imported."""
    before = os.environ.get(DROPPED)
    with tempfile.TemporaryDirectory(prefix="ego-web-") as folder:
        os.environ[DROPPED] = str(Path(folder) / "dropped")
        try:
            yield Path(folder)
        finally:
            os.environ.pop(DROPPED)
            os.environ.update({DROPPED: before} if before else {})
