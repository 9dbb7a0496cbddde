"""A full accelerator -> an error with advice."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ego.errors import BackboneError


@contextmanager
def explained_memory() -> Iterator[None]:
    """Say what to do when the accelerator's memory is full."""
    try:
        yield
    except torch.OutOfMemoryError as cause:
        raise BackboneError(
            "the accelerator's memory is full; use a smaller model, dtype bfloat16, device_map='auto' over several "
            "devices, fewer or smaller images (max_visual_tokens), or a smaller context_budget"
        ) from cause
