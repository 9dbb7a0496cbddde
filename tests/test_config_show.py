"""`ego config show` says what settings hold and where each comes from; `ego library` as it is typed."""

from pathlib import Path

import pytest

from tests.command import Run
from tests.test_cli import ego, knows_bo, library_with_bo, settings_folder  # noqa: F401  (fixtures)


def test_each_setting_names_its_source(
    ego: Run,  # noqa: F811
    settings_folder: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = ego("config", "show", "--json").document
    assert told["exists"] is False
    assert {one["source"] for one in told["settings"].values()} == {"default"}
    assert told["settings"]["model"]["value"] == "mini"
    file = settings_folder / "config.toml"
    file.write_text('model = "from-file"\ndevice = "cpu"\n[method]\nvideo_frames = 4\n')
    monkeypatch.setenv("EGO_MODEL", "from-environment")
    monkeypatch.setenv("EGO_SERVER", "http://127.0.0.1:8321")
    told = ego("config", "show", "--changed", "--library", "things", "--json").document["settings"]
    assert told == {
        "model": {"value": "from-environment", "source": "EGO_MODEL"},
        "library": {"value": "things", "source": "--library"},
        "device": {"value": "cpu", "source": str(file)},
        "server": {"value": "http://127.0.0.1:8321", "source": "EGO_SERVER"},
        "method.video_frames": {"value": 4, "source": str(file)},
    }
    shown = ego("config", "show").out
    assert "method.threshold" in shown
    file.write_text("[method]\nthreshhold = 1\n")
    assert ego("config", "show").code == 2


def test_the_whole_library_moves(knows_bo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    archive = tmp_path / "all.zip"
    assert knows_bo("library", "export", archive).code == 0
    assert knows_bo("library", "export", archive).code == 2
    there = ("--library", tmp_path / "other", "--json")
    assert knows_bo("library", "import", archive, *there).document["added"] == ["Bo"]
    assert knows_bo("library", "import", archive, *there).document["same"] == ["Bo"]
    assert [one["name"] for one in knows_bo("concepts", "list", *there).document] == ["Bo"]
    monkeypatch.setenv("EGO_SERVER", "http://127.0.0.1:1")
    assert "of this machine" in knows_bo("library", "export", tmp_path / "no.zip").err
