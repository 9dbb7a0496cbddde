"""The stages run, learn and resume, on a world of drawn shapes and a model of a few thousand weights."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training import world as drawn

tower = pytest.importorskip("tower")
import beginnings  # noqa: E402
import language  # noqa: E402
from distillation import Distillation  # noqa: E402
from export import export, load_trained  # noqa: E402
from presets import Phase, Preset, read_preset  # noqa: E402
from sources import read_pack, write_pack  # noqa: E402
from subjects import Cast  # noqa: E402

from ego.backbones import load_backbone  # noqa: E402

RECIPE = Path(tower.__file__).parent


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("world") / "world.npz"
    shapes = drawn.assets()
    write_pack([*shapes, *(replace(asset, part="val") for asset in shapes)], path)
    return path


@pytest.fixture(scope="module")
def preset() -> Preset:
    full = read_preset(RECIPE / "cpu.toml")
    shape = replace(full.shape, image_side=64, vision_width=32, vision_layers=1, vision_heads=2)
    shape = replace(shape, text_width=32, text_layers=3, text_heads=2, text_inner=64)
    stage = replace(full.tower, phases=(Phase(32, 2, 0.5), Phase(64, 2, 1.0)), views=8, identities=6, workers=0)
    lessons = replace(
        full.language,
        steps=3,
        joint_steps=2,
        sequences=4,
        joint_sequences=2,
        bank_identities=12,
        bank_scenes=20,
        bank_steps=2,
        workers=0,
    )
    return replace(full, shape=shape, tower=stage, language=lessons)


@pytest.fixture(scope="module")
def run_folder(preset, world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    tower.train(preset, world, folder, "cpu")
    language.train(preset, world, folder, "cpu")
    return folder


def preset_without_joint(preset: Preset) -> Preset:
    return replace(preset, language=replace(preset.language, joint_steps=0))


@pytest.mark.parametrize("name", ["cpu.toml", "gpu.toml"])
def test_every_preset_can_be_read(name):
    preset = read_preset(RECIPE / name)
    assert preset.shape.grid**2 in range(100, 257)
    assert sum(phase.steps for phase in preset.tower.phases) > 0


def test_a_pack_gives_back_what_was_packed(world):
    packed, drawn_again = read_pack(world), drawn.assets()
    assert (packed[0].pixels[..., 3] == drawn_again[0].pixels[..., 3]).all()
    assert [asset.identity for asset in packed[: len(drawn_again)]] == [asset.identity for asset in drawn_again]


def test_batches_are_the_same_after_a_restart(preset, world):
    def batch():
        batches = tower.ViewBatches(Cast(read_pack(world), "train"), 7, [32, 32], 8, 6, preset.shape.patch)
        return batches[1]

    first, second = batch(), batch()
    assert torch.equal(first.pixels, second.pixels)
    assert torch.equal(first.identity, second.identity)


def test_the_contrastive_loss_is_low_only_where_positives_are_nearest():
    positive = torch.tensor([[False, True, False], [True, False, False], [False, False, False]])
    allowed = ~torch.eye(3, dtype=torch.bool)
    right, wrong = torch.tensor([[0, 9, 0], [9, 0, 0], [0, 0, 0.0]]), torch.tensor([[0, 0, 9], [0, 0, 9], [0, 0, 0.0]])
    assert tower.contrast(right, positive, allowed) < 0.01
    assert tower.contrast(wrong, positive, allowed) > 5


def test_both_stages_leave_a_checkpoint_and_figures(run_folder, preset):
    state = torch.load(run_folder / "model.pt", weights_only=True)
    assert state["step"] == preset.language.steps + preset.language.joint_steps
    noted = [json.loads(line) for line in (run_folder / "figures.jsonl").read_text().splitlines()]
    assert {figures["stage"] for figures in noted} == {"tower", "language", "joint"}


def test_a_finished_run_that_is_started_again_changes_nothing(run_folder, preset, world):
    before = torch.load(run_folder / "model.pt", weights_only=True)["model"]
    language.train(preset, world, run_folder, "cpu")
    after = torch.load(run_folder / "model.pt", weights_only=True)["model"]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_joint_stage_that_was_cut_off_ends_where_it_would_have_ended(
    run_folder, preset, world, tmp_path, monkeypatch
):
    def fails_at_the_last_step(run, *args, **kwargs):
        if run.distillation and (tmp_path / "model.pt").exists():
            state = torch.load(tmp_path / "model.pt", weights_only=True)
            if state["step"] == preset.language.steps + 1:
                raise KeyboardInterrupt
        return step(run, *args, **kwargs)

    step = language.Run._step
    shutil.copy(run_folder / "tower.pt", tmp_path)
    monkeypatch.setattr(language, "SAVE_STEPS", 1)
    with monkeypatch.context() as during:
        during.setattr(language.Run, "_step", fails_at_the_last_step)
        with pytest.raises(KeyboardInterrupt):
            language.train(preset, world, tmp_path, "cpu")
    language.train(preset, world, tmp_path, "cpu")
    resumed, straight = (torch.load(folder / "model.pt", weights_only=True) for folder in (tmp_path, run_folder))
    assert all(torch.allclose(straight["model"][name], resumed["model"][name], atol=1e-6) for name in resumed["model"])
    assert torch.allclose(straight["head"]["weight"], resumed["head"]["weight"], atol=1e-6)


def test_the_tower_is_drawn_towards_what_the_teacher_sees():
    torch.manual_seed(0)
    photos = [np.random.default_rng(seed).integers(0, 256, (64, 64, 4), np.uint8) for seed in range(6)]
    distillation = Distillation(16, 64, photos, "cpu")
    pixels = torch.from_numpy(np.stack(photos)[..., :3]).permute(0, 3, 1, 2)
    targets = distillation.targets(pixels)
    assert targets.shape[:2] == (6, 4)
    features = torch.randn(6, 16, 16, requires_grad=True)
    optimiser = torch.optim.Adam([features, *distillation.parameters()], lr=0.05)
    first = distillation.loss(features, targets)
    for _ in range(150):
        optimiser.zero_grad()
        distillation.loss(features, targets).backward()
        optimiser.step()
    mixed = distillation.loss(features.roll(1, 0), targets)
    assert distillation.loss(features, targets) < 0.2 * first < mixed
    assert set(distillation.state_dict()) == {"head.weight", "head.bias"}


def test_training_goes_on_from_an_exported_model(run_folder, preset, world, tmp_path):
    export(preset, run_folder, tmp_path / "model")
    (tmp_path / "next").mkdir()
    tower.train(preset, world, tmp_path / "next", "cpu", tmp_path / "model")
    language.train(preset, world, tmp_path / "next", "cpu", start_from=tmp_path / "model")
    state = torch.load(tmp_path / "next/model.pt", weights_only=True)
    assert state["step"] == preset.language.steps + preset.language.joint_steps
    assert (tmp_path / "next/tokenizer/tokenizer.json").read_bytes() == (tmp_path / "model/tokenizer.json").read_bytes()


def test_the_language_stage_goes_on_alone_with_the_same_tower(run_folder, preset, world, tmp_path):
    export(preset, run_folder, tmp_path / "model")
    language.train(preset_without_joint(preset), world, tmp_path, "cpu", start_from=tmp_path / "model")
    before, _, _ = load_trained(preset, run_folder)
    after, _, _ = load_trained(preset, tmp_path)
    pairs = zip(before.model.vision_tower.parameters(), after.model.vision_tower.parameters(), strict=True)
    assert all(torch.equal(one.bfloat16(), other.bfloat16()) for one, other in pairs)


def test_what_is_exported_is_the_mean_of_the_model_before_and_after_the_joint_stage(run_folder, preset):
    before, after = (
        torch.load(run_folder / file, weights_only=True)["model"] for file in (language.BEFORE_JOINT, "model.pt")
    )
    exported = load_trained(preset, run_folder)[0].state_dict()
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(before[name], after[name])
    assert torch.allclose(exported[name], (before[name] + after[name]) / 2)


def test_thinned_views_keep_their_objects_and_main_subjects(preset, world):
    batches = tower.ViewBatches(Cast(read_pack(world), "train"), 7, [64], 8, 6, preset.shape.patch)
    views = batches[0]
    thin, kept = views.thinned(0.5, torch.Generator().manual_seed(0))
    assert kept.shape == (8, 8)
    assert thin.cover.shape[1] == 8
    for view, main in enumerate(thin.main.tolist()):
        if main >= 0:
            assert thin.view[main] == view
            assert thin.identity[main] == views.identity[views.main[view]]
    same, everything = views.thinned(1.0, torch.Generator())
    assert same is views
    assert everything is None


def test_the_projector_begins_with_what_the_heads_of_the_tower_know(preset):
    torch.manual_seed(0)
    heads = tower.TowerWithHeads(preset.shape)
    features = heads.tokens(torch.randint(0, 256, (4, 3, 64, 64)))
    matrix, offset = beginnings._facts(heads.state_dict(), heads.part[0])
    told = torch.nn.functional.linear(heads.part[0](features), matrix, offset)
    known = torch.cat([getattr(heads, name)(features) for name in beginnings.FACTS], -1)
    assert torch.allclose(told, known, atol=0.1 * known.std().item())


def test_the_language_stage_says_what_is_missing(preset, world, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run tower\.py"):
        language.train(preset, world, tmp_path, "cpu")


def test_an_export_is_an_ordinary_backbone(run_folder, preset, tmp_path):
    step = export(preset, run_folder, tmp_path / "model")
    assert step == preset.language.steps + preset.language.joint_steps
    backbone = load_backbone(tmp_path / "model")
    assert backbone.card.layer_count == preset.shape.text_layers
    assert not list(tmp_path.glob("model.*"))
