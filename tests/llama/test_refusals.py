"""What llama.cpp cannot answer for is refused before it is loaded; it need not be installed for that."""

import sys
from pathlib import Path

import pytest

from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from ego.errors import ConfigError
from ego.server.engines import choose
from ego.server.engines.llama.context import _library
from ego.server.settings import ServiceSettings
from tests.backbones import tiny
from tests.command import exit_code


def refusal(backbone: Backbone, folder: Path, *vllm: str) -> str:
    with pytest.raises(ConfigError) as refused:
        choose(backbone, ServiceSettings(library=folder), vllm, folder / "model.gguf")
    return str(refused.value)


@pytest.mark.parametrize(
    ("family", "reason"),
    [("qwen2_5_vl", "on several axes"), ("qwen3_vl", "DeepStack levels"), ("gemma3", "see each other")],
)
def test_models_whose_prompts_are_no_rows_in_a_line_are_refused(family: str, reason: str, tmp_path: Path) -> None:
    backbone = load_backbone(tiny.save(family, tmp_path / family), self_check=False)
    told = refusal(backbone, tmp_path)
    assert (reason in told, family in told, "--llama" in told) == (True, True, True)


def test_the_command_looks_before_it_loads_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = exit_code("serve", "--llama", str(tmp_path / "none.gguf"), "--model", "no-such-model")
    told = capsys.readouterr().err
    assert (code, "ego-vlm[llama]" in told or "none.gguf" in told, "no-such-model" in told) == (2, True, False)


def test_one_engine_answers_and_it_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load_backbone("mini", self_check=False)
    assert "one engine" in refusal(backbone, tmp_path, "http://127.0.0.1:8000")
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    _library.cache_clear()
    assert "ego-vlm[llama]" in refusal(backbone, tmp_path)
