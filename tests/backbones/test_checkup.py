"""`ego check` finds what is wrong, and says so in a form that can be pasted into a report."""

import dataclasses
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import transformers

from ego.backbones import attention_probe
from ego.backbones.picture_writing import PictureWriter, WrittenPicture
from ego.bench.checkup import check_up
from ego.cli.opening import open_backbone
from ego.cli.output import Output
from ego.cli.settings import resolve
from ego.visual_tokens import Markup
from tests.backbones import tiny
from tests.backbones.test_damaged_checkpoints import without
from tests.command import Run, runner

TRIED = ("weights", "prompts", "plain image", "thoughts", "answers", "attention", "memory", "prefix", "video")


@pytest.fixture
def ego(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


def test_a_sound_model_passes_beyond_its_window(checkpoint: Callable[[str], Path]) -> None:
    found = check_up(str(checkpoint("gemma3")), device="cpu", device_map=None, timed=False)
    assert found.passed
    tried = [finding.what for finding in found.findings]
    assert tried == [
        "weights",
        "prompts",
        "plain image",
        "thoughts",
        "answers",
        "attention",
        "memory",
        "prefix",
        "video",
    ]
    assert "the window has 24" in found.findings[-2].detail
    assert found.findings[-1].detail == "several images"
    assert 0.1 < found.host_peak_gb < 64
    assert {"torch", "transformers", "device", "dtype", "python"} <= set(found.environment)


@pytest.mark.parametrize("family", ["qwen3_5", "internvl3"])
def test_rows_of_attention_that_are_another_heads_are_found(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    whole = attention_probe.attention_rows
    monkeypatch.setattr(attention_probe, "attention_rows", lambda *given: whole(*given).roll(1, dims=0))
    found = check_up(str(checkpoint(family)), device="cpu", device_map=None, timed=False)
    assert (found.findings[-1].what, found.passed) == ("attention", False)
    assert "layers differ from eager attention by" in found.findings[-1].detail


def test_the_command_gives_one_document(ego: Run, checkpoint: Callable[[str], Path]) -> None:
    done = ego("check", checkpoint("internvl3"), "--device", "cpu", "--json")
    assert (done.code, done.document["passed"]) == (0, True)
    assert set(done.document["seconds"]) == {"loading", "introduction", "plain generation"}
    assert (done.document["family"], done.document["device_peak_gb"]) == ("InternVL 3 and 3.5", None)


def test_the_command_gives_a_table(ego: Run, checkpoint: Callable[[str], Path]) -> None:
    done = ego("check", checkpoint("gemma3"), "--device", "cpu", "--no-timed")
    assert (done.code, "WRONG" in done.out) == (0, False)
    assert [row for row in TRIED if row not in done.out] == []
    assert {"torch", "transformers", "GB"} <= set(re.findall(r"\w+", done.out))


def test_weights_that_are_missing_end_the_check(tmp_path: Path) -> None:
    folder = tiny.save("llava", tmp_path)
    without("q_proj.weight")(folder)
    found = check_up(str(folder), device="cpu", device_map=None, timed=False)
    assert [(one.what, one.works) for one in found.findings] == [("weights", False)]
    assert "lack" in found.findings[0].detail


def test_a_wrong_prompt_is_shown_and_ends_the_check(
    ego: Run, checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PictureWriter.write

    def without_marker(self: PictureWriter, image: object) -> WrittenPicture:
        written = whole(self, image)  # type: ignore[arg-type]
        return dataclasses.replace(written, markup=Markup(("", *written.markup.words[1:]), written.markup.runs))

    monkeypatch.setattr(PictureWriter, "write", without_marker)
    done = ego("check", checkpoint("internvl3"), "--device", "cpu", "--no-timed")
    assert done.code == 6
    assert "WRONG" in done.out
    assert "plain image" not in done.out


def test_a_model_that_cannot_be_loaded_is_an_error(ego: Run, tmp_path: Path) -> None:
    done = ego("check", tmp_path / "nowhere", "--json")
    assert (done.code, done.document["error"]["kind"]) == (6, "BackboneError")


def test_a_terminal_is_told_what_is_loaded_and_how_far_it_is(
    checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    transformers.utils.logging.enable_progress_bar()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    folder = str(checkpoint("internvl3"))
    open_backbone(resolve(model=folder, device="cpu"), Output(as_json=False))
    told = capsys.readouterr().err
    assert told.index("loading") < told.index("Loading weights")
    assert Path(folder).name in told.replace("\n", "")
    assert "100%" in told
