"""What is measured: a model of the user's, or random weights; its surroundings; and one run alone in a process."""

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
import transformers

from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.loading import hide_progress, load
from ego.bench.random_model import write_random_model

Result = TypeVar("Result")


@contextmanager
def source(model_id: str | None, *, layers: int = 8) -> Iterator[str]:
    """Name a checkpoint to load; random weights of so many layers live in a folder that goes with the run."""
    if model_id is not None:
        yield model_id
        return
    with tempfile.TemporaryDirectory(prefix="ego-bench-") as folder:
        write_random_model(Path(folder), layers=layers)
        yield folder


def opened(checkpoint: str, device: str | None, *, max_visual_tokens: int) -> HuggingFaceBackbone:
    """Load a model for measuring."""
    return load(
        checkpoint,
        device=device,
        dtype=None,
        device_map=None,
        revision=None,
        max_visual_tokens=max_visual_tokens,
        positions="sequential",
        self_check=False,
    )


def environment(backbone: HuggingFaceBackbone) -> dict[str, str]:
    """Say where it was measured."""
    return versions() | {"device": str(backbone.device), "dtype": str(backbone.dtype)}


def versions() -> dict[str, str]:
    """Say with what it was measured."""
    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": str(torch.get_num_threads()),
    }


def in_a_process_alone(measure: Callable[..., Result], *arguments: object) -> Result:
    """Call a function of a module in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        measured: Result = pool.apply(_quietly, (measure, arguments))
        pool.close()
        pool.join()  # a process that is ended early leaves locks behind
    return measured


def _quietly(measure: Callable[..., Result], arguments: tuple[object, ...]) -> Result:
    hide_progress()
    return measure(*arguments)
