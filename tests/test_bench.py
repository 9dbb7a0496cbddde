"""The benchmark measures what it says; how fast a machine is, no test asks."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ego.bench import query, recognize
from ego.bench.accelerator import bench_accelerator
from ego.bench.growth import Growth
from ego.bench.introduction import IntroductionBench, Rival, _measure_memory, bench_introduction
from ego.bench.measure import seconds_in_turns
from ego.bench.plot import draw
from ego.bench.rivals import EGO, LIMIT, SEPARATE
from ego.bench.subject import opened, source
from ego.cli.bench import show_growth
from ego.cli.output import Output
from ego.prompt import introduction_prompt
from tests.backbones import tiny

pytestmark = pytest.mark.thorough

MEGABYTE = 1 << 20


def test_rivals_take_turns_after_a_first_run_each() -> None:
    calls: list[str] = []
    seconds = seconds_in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2)
    assert calls == ["a", "b", "a", "b", "a", "b"]
    assert all(value >= 0 for value in seconds.values())


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory of a CPU run is measured on Linux only")
def test_extra_memory_is_the_peak_not_the_rest() -> None:
    code = (
        "import torch\nfrom ego.bench.measure import extra_peak_bytes\n"
        f"print(extra_peak_bytes(lambda: torch.ones({64 * MEGABYTE}, dtype=torch.uint8)))"
    )  # in a fresh process: here, memory that an earlier test freed may be used again unseen
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 60 * MEGABYTE < int(done.stdout) < 80 * MEGABYTE


def test_without_a_model_there_is_one_of_random_weights() -> None:
    with source(None, layers=1) as checkpoint:
        backbone = opened(checkpoint, "cpu", max_visual_tokens=1024)
    seen = backbone.encode_image(Image.new("RGB", (600, 600), "red"))
    prompt = introduction_prompt(seen, "What is it?")
    assert len(seen.rows) == 256
    assert backbone.count_tokens(prompt) > 256
    assert backbone.next_token_logits([prompt]).isfinite().all()


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.save("qwen2_5_vl", tmp_path_factory.mktemp("model")))


def test_all_ways_of_a_query_are_timed_on_the_same_question(folder: str) -> None:
    measured = query.bench_query(folder, rounds=1, sizes=(1, 3))
    assert [point.size for point in measured.points] == [1, 3]
    largest = measured.points[-1]
    assert largest.same_answers
    tokens = {way.name: way.context_tokens for way in largest.ways}
    assert tokens[query.NEW_PICTURE] == tokens[query.FOLLOW_UP] == tokens[query.NO_REUSE]
    assert tokens[query.NO_REUSE] <= tokens[query.LIMIT] < tokens[query.NO_REUSE] + 4
    assert tokens[query.RE_ENCODED] == tokens[query.WHOLE] > 2 * tokens[query.NO_REUSE]
    assert 0 < measured.figures[query.SHARE] < 0.5


def test_all_ways_of_recognizing_give_the_same_answers(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognize, "in_a_process_alone", lambda measure, *arguments: measure(*arguments))
    measured = recognize.bench_recognize(folder, rounds=1, sizes=(2, 3))
    assert all(point.same_answers for point in measured.points)
    ways = measured.points[-1].ways
    assert [way.name for way in ways] == [recognize.EGO, recognize.ROWS, recognize.ONE_BY_ONE, recognize.SEPARATE]
    assert all(way.seconds > 0 for way in ways)
    assert (ways[0].extra_peak_mb is None) == (not Path("/proc/self/clear_refs").exists())
    assert ways[2].extra_peak_mb is None  # not measured


def test_decoding_says_what_transformers_says(folder: str) -> None:
    measured = bench_accelerator(folder, rounds=1, sizes=(2, 6))
    assert [point.same_answers for point in measured.points] == [True, True]
    assert measured.environment["device"] == "cpu"


def test_growth_is_drawn_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    way = {"name": "ego", "seconds": 0.25, "context_tokens": 40, "extra_peak_mb": 3.0}
    points = [{"size": size, "ways": [way], "same_answers": True} for size in (2, 4)]
    measured = Growth.model_validate(
        {
            "bench": "query",
            "model": "m",
            "grows": "concepts",
            "points": points,
            "figures": {"times faster": 3.5},
            "rounds": 1,
            "environment": {},
        }
    )
    assert draw(measured, tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    show_growth(measured, Output(as_json=False))
    shown = capsys.readouterr().out
    for word in ("2 concepts", "4 concepts", "0.250", "3.50  times faster", "Same answers: yes"):
        assert word in shown
