"""`ego eval | report | calibrate | tune-threshold` as a user types them, on a model in miniature."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ego import evaluation
from ego.evaluation.records import Lines, Record
from tests.backbones.tiny import picture
from tests.command import Run, runner
from tests.evaluation.trees import put_json

pytestmark = pytest.mark.thorough


@pytest.fixture
def ego(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, tiny_model: Path) -> Run:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("EGO_MODEL", str(tiny_model))
    monkeypatch.setenv("EGO_DEVICE", "cpu")
    (tmp_path / "config/ego").mkdir(parents=True)
    (tmp_path / "config/ego/config.toml").write_text("[method]\ndescription_tokens = 6\ncaption_tokens = 6\n")
    return runner(monkeypatch, capsys)


def test_eval_and_report(ego: Run, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    wanted = ("--task", "recognition", "--task", "caption", "--method", "none,ego", "--limit", "2", "--neutral-names")
    done = ego("eval", "folder", photos, *wanted, "--out", out, "--json")
    assert done.code == 0, done.err
    assert done.document["run"]["methods"] == ["none", "ego"]
    assert len(list(Lines(out / "records.jsonl", Record))) == 2 * (2 * 3 + 2)
    assert '"name": "Aero"' in (out / "manifest.json").read_text()
    shown = ego("report", out, "--against", "none")
    assert shown.code == 0, shown.err
    assert "| ego, 1 view |" in shown.out
    assert (out / "report.html").is_file()
    refused = ego("report", out, "--against", "ego:5")
    assert (refused.code, "choose METHOD or METHOD:VIEWS of none:1, ego:1" in " ".join(refused.err.split())) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--method", "egoo"), "no method 'egoo'"),
        (("--views", "one"), "--views is 'one'"),
        (("--views", "5,0"), "--views is '5,0'; a concept needs 1 reference image or more"),
        (("--views=-1",), "--views is '-1'; a concept needs 1 reference image or more"),
        (("--known", "some"), "choose sample or all"),
        (("--task", "video"), "no questions for"),
        (("--peers", "nothing.toml"), "holds no settings for the peers"),
    ],
)
def test_wrong_use_says_what_is_wrong(
    ego: Run, photos: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = ego("eval", "folder", photos, *arguments, "--out", tmp_path / "results")
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize("command", ["eval", "report", "calibrate"])
def test_a_missing_extra_is_named_before_anything_is_done(
    ego: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(evaluation, "EXTRA", ("json", "no_such_package"))
    arguments = {
        "eval": ("folder", tmp_path, "--out", tmp_path),
        "report": (tmp_path,),
        "calibrate": ("--images", tmp_path, "--annotations", tmp_path / "a.json"),
    }
    done = ego(command, *arguments[command])
    assert (done.code, "needs no_such_package; install" in done.err) == (2, True)


def test_a_killed_run_continues_to_the_same_report(ego: Run, photos: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle, in a process of its own; then the same command again."""
    wanted = ["eval", "folder", str(photos), "--task", "recognition", "--method", "none,ego"]
    command = [sys.executable, "-c", "from ego.cli import main; main()", *wanted, "--out", str(tmp_path / "killed")]
    running = subprocess.Popen(command, env=os.environ.copy(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    records = tmp_path / "killed/records.jsonl"
    while running.poll() is None and (not records.exists() or records.read_bytes().count(b"\n") < 5):
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert ego(*wanted, "--out", tmp_path / "killed").code == 0
    assert ego(*wanted, "--out", tmp_path / "whole").code == 0
    assert records.read_bytes() == (tmp_path / "whole/records.jsonl").read_bytes()


def test_calibrate_saves_what_ego_then_reads(ego: Run, tmp_path: Path) -> None:
    images = tmp_path / "coco"
    images.mkdir()
    entries, files = [], []
    for number in range(1, 5):
        picture(seed=number).save(images / f"{number}.png")
        files.append({"id": number, "width": 160, "height": 96, "file_name": f"{number}.png"})
        square = {"segmentation": [[20, 20, 80, 20, 80, 80, 20, 80]], "area": 3600, "bbox": [20, 20, 60, 60]}
        entries.append({"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, **square})
    put_json(images / "a.json", {"images": files, "annotations": entries, "categories": [{"id": 1, "name": "dog"}]})
    out = tmp_path / "calibration"
    wanted = ("--images", images, "--annotations", images / "a.json", "--held-out", "0.25", "--out", out)
    few = ego("calibrate", *wanted)
    assert (few.code, "3 images would choose" in few.err, "--force" in few.err) == (2, True, True)
    assert not (tmp_path / "data").exists()
    done = ego("calibrate", *wanted, "--force", "--json")
    assert done.code == 0, done.err
    assert set(done.document["held_out"]) == {"calibrated", "depth band", "all layers"}
    assert Path(done.document["saved"]).is_relative_to(tmp_path / "data")
    introduced = ego("introduce", "Bo", images / "1.png", "--json")
    assert introduced.document["views"][0]["layers"] == done.document["layers"]
    assert "not calibrated" not in introduced.err
    other = ("--test-annotations", images / "a.json", "--heads", "--save-to", tmp_path / "layers.json")
    tested = ego("calibrate", *wanted, *other)
    assert tested.code == 0, tested.err
    assert "best single heads" in tested.out
    assert "4 images" in tested.out  # all of them choose
    undone = ego("calibrate", "--undo", "--json")
    assert (undone.code, undone.document["layers"]) == (0, None)
    assert not Path(done.document["saved"]).exists()
    assert ego("calibrate", "--undo").code == 2
    alone = ego("calibrate", *wanted, "--test-images", images)
    assert (alone.code, "give both" in alone.err) == (2, True)


def test_tune_threshold(ego: Run, tmp_path: Path) -> None:
    for name in ("bo", "street", "park"):
        picture(seed=len(name)).save(tmp_path / f"{name}.png")
    assert ego("introduce", "Bo", tmp_path / "bo.png", "--keywords", "dog").code == 0
    done = ego("tune-threshold", "--negatives", tmp_path / "street.png", "--json")
    seen = ego("recognize", tmp_path / "street.png", "--json")
    assert done.document["threshold"] == pytest.approx(seen.document["concepts"][0]["probability"], abs=1e-6)
    assert "19 are needed" in done.document["rule"]
    advice = " ".join(ego("tune-threshold", "--negatives", tmp_path / "street.png").out.split())
    printed = re.findall(r"threshold (?:= )?(\d\.\d{6})\b", advice)
    assert len(printed) == 3
    assert all(0 <= float(one) - done.document["threshold"] <= 1e-6 for one in printed)
    refused = ego("tune-threshold", "--negatives", tmp_path / "street.png", "--positives", tmp_path / "park.png")
    assert (refused.code, "give its --name" in refused.err) == (2, True)


def test_a_threshold_is_kept_and_forgotten(ego: Run, tmp_path: Path) -> None:
    for name in ("bo", "max", "street", "park"):
        picture(seed=len(name)).save(tmp_path / f"{name}.png")
    (tmp_path / "bad.png").write_bytes(b"x")
    for name in ("bo", "max"):
        assert ego("introduce", name, tmp_path / f"{name}.png", "--keywords", "dog").code == 0

    def thresholds() -> dict[str, float]:
        seen = ego("recognize", tmp_path / "street.png", "--json").document["concepts"]
        assert all(one["present"] == (one["probability"] >= one["threshold"]) for one in seen)
        return {one["name"]: one["threshold"] for one in seen}

    several = ("--negatives", *(tmp_path / f"{name}.png" for name in ("street", "bad", "park")))
    assert thresholds() == {"bo": 0.5, "max": 0.5}
    all_of_them = ego("tune-threshold", *several, "--save", "--json")
    assert (all_of_them.code, "bad.png" in all_of_them.err, "of 2 negatives" in all_of_them.document["rule"]) == (
        *(0, True, True),
    )
    for_bo = ego("tune-threshold", "--name", "bo", "--save", "--json", *several).document["threshold"]
    kept = thresholds()
    assert kept == {
        "bo": pytest.approx(for_bo, abs=1e-6),
        "max": pytest.approx(all_of_them.document["threshold"], abs=1e-6),
    }
    assert ego("concepts", "rename", "bo", "Rex").code == 0
    assert thresholds() == {"Rex": kept["bo"], "max": kept["max"]}
    given = ego("recognize", tmp_path / "street.png", "--threshold", "0.9", "--json").document["concepts"]
    assert [one["threshold"] for one in given] == [0.9, 0.9]
    assert ego("tune-threshold", "--reset", "--name", "rex").code == 0
    assert ego("tune-threshold", "--reset").code == 0
    assert thresholds() == {"Rex": 0.5, "max": 0.5}


def test_a_correction_is_kept_for_the_model(ego: Run, tmp_path: Path) -> None:
    for seed in range(11):
        picture(seed=seed).save(tmp_path / f"{seed}.png")
    photos = [tmp_path / f"{seed}.png" for seed in range(11)]
    assert ego("introduce", "bo", photos[0], "--keywords", "dog").code == 0
    few = ego("tune-threshold", "--name", "bo", "--save-correction", "--negatives", photos[1], "--positives", photos[2])
    assert (few.code, "5 of each" in few.err) == (2, True)
    before = ego("recognize", photos[1], "--json").document["concepts"][0]["probability"]
    kinds = ("--negatives", *photos[1:6], "--positives", *photos[6:])
    done = ego("tune-threshold", "--name", "bo", "--save-correction", *kinds, "--json")
    assert done.code == 0, done.err
    again = ego("recognize", photos[1], "--json").document["concepts"][0]["probability"]
    margin = math.log(before / (1 - before))
    wanted = 1 / (1 + math.exp(-(done.document["scale"] * margin + done.document["bias"])))
    assert again == pytest.approx(wanted, abs=1e-4)
    assert ego("tune-threshold", "--reset").code == 0
    assert ego("recognize", photos[1], "--json").document["concepts"][0]["probability"] == pytest.approx(before)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "--negatives"),
        (("--reset", "--save"), "give it alone"),
        (("--negatives", "a.png", "--save-correction"), "--positives"),
        (("--negatives", "a.png", "--save", "--name", "a", "--name", "b"), "one --name"),
    ],
)
def test_options_that_make_no_sense_together(ego: Run, arguments: tuple[str, ...], complaint: str) -> None:
    done = ego("tune-threshold", *arguments)
    assert (done.code, complaint in done.err) == (2, True)


def test_json_of_a_report_names_its_files(ego: Run, photos: Path, tmp_path: Path) -> None:
    wanted = ("--task", "caption", "--method", "none", "--limit", "1", "--out", tmp_path)
    assert ego("eval", "folder", photos, *wanted).code == 0
    assert json.loads(ego("report", tmp_path, "--json").out)["html"] == str(tmp_path / "report.html")
