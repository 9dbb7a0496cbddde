"""What a run needs from the machine: precision, checkpoints that survive a crash, a schedule, a log."""

import json
import logging
import math
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

LOGGER = logging.getLogger("mini")
WARM_UP_STEPS, WARM_UP_SHARE = 150, 0.1  # whichever is shorter
COOL_DOWN_SHARE = 0.4
FLOOR = 0.02


def prepare(device: str, folder: Path) -> None:
    """Set threads, denormals and the log."""
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("high")
    folder.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [logging.StreamHandler(), logging.FileHandler(folder / "train.log")]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers)
    LOGGER.info("device %s, %d threads, torch %s", device, torch.get_num_threads(), torch.__version__)


def half_precision(device: str) -> AbstractContextManager[object]:
    """Compute matrix products in bfloat16, where the processor can (others pretend, slowly); weights stay float32."""
    able = device != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast(device, torch.bfloat16) if able else nullcontext()


def convolution_precision(device: str) -> AbstractContextManager[object]:
    """Compute convolutions in bfloat16 on a GPU only: on a CPU their way back is slower than in float32."""
    return nullcontext() if device == "cpu" else half_precision(device)


def optimizer(groups: Iterable[dict[str, Any]], rate: float) -> torch.optim.AdamW:
    """Build AdamW; each group may carry a `factor` on the rate."""
    return torch.optim.AdamW(list(groups), lr=rate, betas=(0.9, 0.98), weight_decay=0.05, fused=True)


def set_rate(optimiser: torch.optim.Optimizer, rate: float, step: int, steps: int) -> None:
    """Warm up, stay, and cool down over the last part of the run (cosine)."""
    start = (1 - COOL_DOWN_SHARE) * steps
    progress = max(0.0, (step - start) / max(1.0, steps - start))
    scale = min(1.0, (step + 1) / max(1.0, min(WARM_UP_STEPS, WARM_UP_SHARE * steps))) * (
        FLOOR + (1 - FLOOR) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, progress)))
    )
    for group in optimiser.param_groups:
        group["lr"] = rate * scale * group.get("factor", 1.0)


def save(path: Path, **state: Any) -> None:
    """Write a checkpoint in one move, so that a crash leaves the previous one."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load(path: Path, device: str) -> dict[str, Any] | None:
    """Read a checkpoint, or nothing if there is none."""
    return torch.load(path, map_location=device, weights_only=True) if path.exists() else None


class Progress:
    """Smooth the losses and say them now and then, with the speed and the time left."""

    def __init__(self, steps: int, every: int = 25) -> None:
        """Count towards `steps`."""
        self.steps, self.every = steps, every
        self.means: dict[str, float] = {}
        self.started, self.first = time.monotonic(), -1

    def __call__(self, step: int, losses: dict[str, float]) -> None:
        """Take in the losses of one step."""
        if self.first < 0:
            self.first, self.started = step, time.monotonic()
        for name, value in losses.items():
            self.means[name] = 0.95 * self.means.get(name, value) + 0.05 * value
        if step > self.first and (step + 1) % self.every == 0:
            pace = (time.monotonic() - self.started) / (step - self.first)
            told = " ".join(f"{name} {value:.3f}" for name, value in self.means.items())
            LOGGER.info(
                "step %d/%d %.2f s/step, %.0f min left: %s",
                step + 1,
                self.steps,
                pace,
                pace * (self.steps - step) / 60,
                told,
            )


def note(folder: Path, **figures: Any) -> None:
    """Append measured figures to the run's journal and to the log."""
    LOGGER.info("measured %s", figures)
    with (folder / "figures.jsonl").open("a") as journal:
        journal.write(json.dumps(figures) + "\n")
