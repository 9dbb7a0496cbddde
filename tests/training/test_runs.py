"""The language stage runs, learns and resumes; an export is an ordinary model. On a world of drawn shapes."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.training import world as drawn

language = pytest.importorskip("language")
import checks  # noqa: E402
import export  # noqa: E402
import train as chain  # noqa: E402
import vocabulary  # noqa: E402
from presets import Preset, read_preset  # noqa: E402
from sources import write_pack  # noqa: E402
from tower import TowerWithHeads  # noqa: E402

from ego.backbones import load_backbone  # noqa: E402

RECIPE = Path(language.__file__).parent
SIDE = 128


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("world") / "world.npz"
    shapes = drawn.assets()
    write_pack([*shapes, *(replace(asset, part="val") for asset in shapes)], path)
    return path


@pytest.fixture(scope="module")
def preset() -> Preset:
    full = read_preset(RECIPE / "cpu.toml")
    lessons = replace(full.language, steps=3, tokens=1200, bank_identities=12, bank_scenes=20, workers=0)
    return replace(full, shape=replace(full.shape, image_side=SIDE), language=lessons)


@pytest.fixture(scope="module", autouse=True)
def small_checks():
    with pytest.MonkeyPatch.context() as during:
        during.setattr(language, "VALIDATION_IDENTITIES", 12)
        during.setattr(language, "VALIDATION_SCENES", 12)
        during.setattr(language, "SAVE_STEPS", 1)
        during.setattr(checks, "LESSONS", 1)
        during.setattr(vocabulary, "TALKS", 400)
        during.setattr(language, "imitate", partial(language.imitate, steps=20))
        yield


@pytest.fixture(scope="module")
def begun(preset, tmp_path_factory) -> Path:
    """A folder in which stage A has settled, and a tokenizer."""
    folder = tmp_path_factory.mktemp("begun")
    torch.manual_seed(0)
    torch.save({"model": TowerWithHeads(SIDE).state_dict(), "step": 0, "share": 1.0}, folder / "settled.pt")
    vocabulary.run_tokenizer(folder, preset.shape.vocabulary, preset.seed)
    return folder


@pytest.fixture(scope="module")
def run_folder(preset, world, begun, tmp_path_factory):
    folder = shutil.copytree(begun, tmp_path_factory.mktemp("run") / "run")
    language.train(preset, world, folder, "cpu")
    return folder


@pytest.mark.parametrize("name", ["cpu.toml", "gpu.toml"])
def test_every_preset_can_be_read(name):
    preset = read_preset(RECIPE / name)
    assert preset.shape.grid**2 in range(100, 151)
    assert sum(phase.steps for phase in preset.tower.phases) > 0


def test_the_language_stage_leaves_a_checkpoint_and_figures(run_folder, preset):
    assert torch.load(run_folder / "model.pt", weights_only=True)["step"] == preset.language.steps
    noted = [json.loads(line) for line in (run_folder / "figures.jsonl").read_text().splitlines()]
    assert {figures["stage"] for figures in noted} == {"language"}


def test_a_finished_run_that_is_started_again_changes_nothing(run_folder, preset, world):
    before = torch.load(run_folder / "model.pt", weights_only=True)["model"]
    language.train(preset, world, run_folder, "cpu")
    after = torch.load(run_folder / "model.pt", weights_only=True)["model"]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_that_was_cut_off_ends_where_it_would_have_ended(run_folder, preset, world, begun, tmp_path, monkeypatch):
    def fails_once(run, *args, **kwargs):
        if (tmp_path / "model.pt").exists():
            raise KeyboardInterrupt
        return step(run, *args, **kwargs)

    step = language.Run._step
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    with monkeypatch.context() as during:
        during.setattr(language.Run, "_step", fails_once)
        with pytest.raises(KeyboardInterrupt):
            language.train(preset, world, tmp_path, "cpu")
    language.train(preset, world, tmp_path, "cpu")
    resumed, straight = (torch.load(folder / "model.pt", weights_only=True) for folder in (tmp_path, run_folder))
    assert all(torch.allclose(straight["model"][name], resumed["model"][name], atol=1e-5) for name in resumed["model"])


def test_a_finished_model_can_be_taught_on(run_folder, preset, world, tmp_path):
    export.export(preset, run_folder, tmp_path / "model")
    before = load_file(tmp_path / "model/model.safetensors")
    language.train(preset, world, tmp_path / "more", "cpu", finished=tmp_path / "model")
    after = torch.load(tmp_path / "more/model.pt", weights_only=True)
    assert after["step"] == preset.language.steps
    tower = "model.vision_tower.encoder.top_conv.weight"
    assert torch.equal(before[tower].float(), after["model"][tower])
    moved = {n: float((before[n].float() - after["model"][n]).abs().max()) for n in before if "q_proj" in n}
    assert all(0 < change < 0.05 for change in moved.values())  # a few steps from there, no new beginning
    first, second = (
        (folder / "tokenizer.json").read_text() for folder in (tmp_path / "model", tmp_path / "more/tokenizer")
    )
    assert first == second
    export.export(preset, tmp_path / "more", tmp_path / "mean", before=tmp_path / "model", share=0.25)
    mean = load_file(tmp_path / "mean/model.safetensors")
    name = next(iter(moved))
    wanted = 0.75 * before[name].float() + 0.25 * after["model"][name]
    assert torch.allclose(mean[name].float(), wanted, rtol=0.01, atol=1e-4)


def test_the_tower_stays_as_it_was(run_folder, begun):
    before, after = (
        torch.load(path, weights_only=True)["model"] for path in (begun / "settled.pt", run_folder / "model.pt")
    )
    names = [name for name in before if name.startswith("tower.")]
    assert all(torch.equal(before[n], after[f"model.vision_tower.{n.removeprefix('tower.')}"]) for n in names)


def test_the_language_stage_says_what_is_missing(preset, world, begun, tmp_path):
    shutil.copytree(begun / "tokenizer", tmp_path / "tokenizer")
    with pytest.raises(FileNotFoundError, match=r"settle\.py"):
        language.train(preset, world, tmp_path, "cpu")


def test_an_export_is_an_ordinary_backbone(run_folder, preset, tmp_path):
    assert export.export(preset, run_folder, tmp_path / "model") == preset.language.steps
    backbone = load_backbone(tmp_path / "model")
    assert backbone.card.family == "FastVLM"
    assert backbone.card.concepts_per_prompt == preset.shape.concepts_per_prompt
    assert not list(tmp_path.glob("model.*"))
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    assert len(backbone.encode_image(picture)) == preset.shape.grid**2


def test_the_chain_leaves_out_what_is_finished(tmp_path, monkeypatch):
    asked: list[list[str]] = []
    monkeypatch.setattr(chain.subprocess, "run", lambda words, check: asked.append(words))
    common = ["train.py", "--data", "data", "--folder", str(tmp_path), "--to", "model"]
    monkeypatch.setattr("sys.argv", common)
    chain.main()
    names = [next(Path(word).name for word in words if word.endswith(".py") or word == chain.EGO) for words in asked]
    assert names[:2] == ["pack.py", "tower.py"]
    assert names[-3:] == ["write_masks.py", chain.EGO, "correct.py"]
    for file in ("world.npz", "settled.pt"):
        (tmp_path / file).touch()
    before = len(asked)
    chain.main()
    assert len(asked) - before == before - 2
