"""Seconds of rivals run in turns, and the extra memory one of them needs."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch

Answer = TypeVar("Answer")
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_INPUT = Path("/proc/self/io")
_RESET_PEAK = "5"  # proc(5): sets the peak resident set size back to the present one


def seconds_in_turns(rivals: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each rival; they take turns, so that a busy machine slows all of them alike.

    Args:
        rivals: What to run; each is run once before the clock starts.
        rounds: Timed turns.
    """
    for run in rivals.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, run in rivals.items():
            seconds[name].append(_seconds(run))
    return {name: statistics.median(all_rounds) for name, all_rounds in seconds.items()}


def answers_and_seconds(
    rivals: Mapping[str, Callable[[], Answer]], rounds: int
) -> tuple[dict[str, Answer], dict[str, float]]:
    """Median seconds of each rival as above, and what it answered."""
    answers: dict[str, Answer] = {}

    def kept(name: str) -> Callable[[], object]:
        return lambda: answers.update({name: rivals[name]()})

    seconds = seconds_in_turns({name: kept(name) for name in rivals}, rounds)
    return answers, seconds


def extra_peak_bytes(run: Callable[[], object]) -> int | None:
    """Most memory `run` holds beyond what is held before: of the GPU where there is one, else of this process.

    None where neither can be measured (a CPU outside Linux). Without a GPU, call it in a fresh process: memory that an
    earlier run has freed may be used again unseen.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    if not _RESET.exists():
        return None
    _RESET.write_text(_RESET_PEAK)
    before = _status_bytes("VmRSS")
    run()
    return _status_bytes("VmHWM") - before


def megabytes_read(run: Callable[[], object]) -> float | None:
    """MB that `run` reads from files, whether the system still held them or not; None outside Linux."""
    if not _INPUT.exists():
        return None
    before = _bytes_read()
    run()
    return (_bytes_read() - before) / 1e6


def _bytes_read() -> int:
    return int(_INPUT.read_text().split()[1])  # rchar


def _seconds(run: Callable[[], object]) -> float:
    _synchronize()
    started = time.perf_counter()
    run()
    _synchronize()
    return time.perf_counter() - started


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _status_bytes(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
