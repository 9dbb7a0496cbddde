"""The benchmark measures what it says; how fast a machine is, no test asks."""

from pathlib import Path

import pytest
import torch

from ego.bench.introduction import IntroductionBench, Rival, _measure_memory, bench_introduction
from ego.bench.measure import extra_peak_bytes, seconds_in_turns
from ego.bench.rivals import EGO, LIMIT, SEPARATE
from tests.backbones import tiny

MEGABYTE = 1 << 20


def test_rivals_take_turns_after_a_first_run_each() -> None:
    calls: list[str] = []
    seconds = seconds_in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2)
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert all(value >= 0 for value in seconds.values())


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory of a CPU run is measured on Linux only")
def test_extra_memory_is_the_peak_not_the_rest() -> None:
    def hold_and_free() -> None:
        torch.ones(64 * MEGABYTE, dtype=torch.uint8)

    peak = extra_peak_bytes(hold_and_free)
    assert peak is not None
    assert 60 * MEGABYTE < peak < 80 * MEGABYTE


def test_all_rivals_say_the_same_and_are_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(tiny.save("qwen2_5_vl", tmp_path))
    monkeypatch.setattr("ego.bench.introduction._memory_alone", _measure_memory)  # in this process: no import of torch
    monkeypatch.setattr("ego.bench.introduction.VISUAL_TOKENS", 64)
    bench = bench_introduction(folder, rounds=1)
    assert bench.same_answers
    assert [rival.name for rival in bench.rivals] == [EGO, LIMIT, SEPARATE]
    assert 32 < bench.visual_tokens <= 64
    assert bench.environment["device"] == "cpu"


def test_ratios() -> None:
    rivals = (
        Rival(name=EGO, seconds=2.0, extra_peak_mb=10.0),
        Rival(name=LIMIT, seconds=1.6, extra_peak_mb=None),
        Rival(name=SEPARATE, seconds=5.0, extra_peak_mb=40.0),
    )
    bench = IntroductionBench(
        model="m", visual_tokens=4, new_tokens=(2, 1), same_answers=True, rounds=1, rivals=rivals, environment={}
    )
    assert (bench.over_limit, bench.speed_up, bench.memory_share) == (1.25, 2.5, 0.25)
