"""Stage A: teach the vision tower identity by contrast between views, and what is to be said by extra heads.

python tower.py --preset cpu.toml --world WORLD.npz --folder FOLDER [--device cuda]

The tower begins as EfficientNet-Lite0 with ImageNet's weights. Half of the identities of a batch are photographed
things of few classes (dogs against dogs, cartons against cartons), the others are drawn; they are seen whole or pasted
among others, large and small.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from architecture import TOWER_WIDTH, build_tower, imagenet_classifier, tower_features, trained_parameters
from colours import COLOURS
from crew import ALONE, Crew, join_crew
from imagenet import IMAGENET_NOUNS
from machine import LOGGER, Progress, convolution_precision, load, note, optimizer, prepare, save, set_rate
from nouns import NOUNS
from presets import STRIDE, Phase, Preset, read_preset
from recall import Recall
from sources import read_pack
from subjects import Cast, Subject
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from world import group_layout, main_layout, render

TEMPERATURE = 0.08
EMBEDDING = 128
DENSE_TOKENS = 768
GROUPED = 0.5  # share of views that show several things of similar size, none of them the main subject
SHOWN = 0.5  # of a token, from which on it is an object's
SMALLEST_COVER = 0.6  # visible tokens below which an object teaches nothing
CLASSES = 0.5
RECALL_WEIGHT = 0.5
MORE_OF_CLASS, MORE_LOOK_ALIKES = 0.8, 0.5  # how often one more is drawn
BESIDE_ALIKE, NEAR = 0.4, 4  # how often a look-alike stands beside, among how many next in the batch
CHECK_STEPS, SAVE_STEPS = 100, 50
CHECKED_VIEWS, CHECKED_IDENTITIES, CHECKED_SIDE = 192, 96, 256
UNLIKELY = -2.0
FACTS = {"place": 2, "subject": 1, "colour": len(COLOURS)}  # linear read-outs of single tokens


@dataclass(frozen=True)
class Views:
    """One batch: pictures, and the objects in them (of which picture, where, who, what)."""

    pixels: Tensor  # view 3 side side, uint8
    view: Tensor  # object
    cover: Tensor  # object token
    identity: Tensor  # object
    noun: Tensor  # object
    colour: Tensor  # object colour
    main: Tensor  # view: index of its main object, or -1

    def to(self, device: str) -> "Views":
        """Move to a device."""
        return Views(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Order:
    """What a batch shall be: pixels per side, views, identities."""

    side: int
    views: int
    identities: int


def orders(phases: tuple[Phase, ...], views_per_identity: float, seed: int, share: int) -> list[Order]:
    """List the batches of a run, for one of `share` processes; every process draws the same sides."""
    rng, listed = np.random.default_rng(seed), []
    for phase in phases:
        views = max(2, phase.views // share)
        identities = max(2, round(views / views_per_identity))
        listed += [Order(int(side), views, identities) for side in rng.choice(phase.sides, phase.steps)]
    return listed


class ViewBatches(Dataset[Views]):
    """Batch number -> batch: the same batch for the same seed and number, on every machine and after every restart."""

    def __init__(self, cast: Cast, seed: int, ordered: list[Order], classes: float = CLASSES) -> None:
        """Render what is ordered; `classes` of the draws fill a batch with photographed things of one class."""
        self.cast, self.seed, self.ordered, self.classes = cast, seed, ordered, classes

    def __len__(self) -> int:
        """Count the batches."""
        return len(self.ordered)

    def _pool(self, rng: np.random.Generator, identities: int) -> list[Subject]:
        pool: dict[Subject, None] = {}
        while len(pool) < identities:
            of_class = bool(self.cast.photo_things) and rng.random() < self.classes
            subject = self.cast.random_subject(rng, photos=1.0) if of_class else self.cast.random_subject(rng)
            pool[subject] = None
            while rng.random() < (MORE_OF_CLASS if of_class else MORE_LOOK_ALIKES):
                subject = self.cast.look_alike(rng, subject)
                pool[subject] = None
        return list(pool)[:identities]

    def _members(self, rng: np.random.Generator, first: int, number: int) -> list[int]:
        """Choose what a view shows: its own identity first, then others, often look-alikes."""
        members = [first]
        for _ in range(int(rng.choice(4, p=(0.3, 0.3, 0.25, 0.15)))):
            near = rng.random() < BESIDE_ALIKE
            members.append(int(first + rng.integers(1, NEAR)) % number if near else int(rng.integers(number)))
        return list(dict.fromkeys(members))

    def __getitem__(self, number: int) -> Views:
        """Render one batch."""
        cv2.setNumThreads(1)
        order, rng = self.ordered[number], np.random.default_rng([self.seed, number])
        pool, grid = self._pool(rng, order.identities), order.side // STRIDE
        pixels, objects, mains = [], [], []
        for view in range(order.views):
            members = self._members(rng, view % len(pool), len(pool))
            grouped = rng.random() < GROUPED
            layout = (group_layout if grouped else main_layout)(rng, len(members))
            subjects = [pool[member] for member in members]
            picture = render(rng, self.cast, subjects, layout, side=order.side, grid=grid, whole_photo=0.6)
            pixels.append(picture.pixels)
            seen = [
                i for i in range(len(members)) if picture.cover[i].sum() > SMALLEST_COVER and picture.visible[i] > 0.3
            ]
            mains.append(len(objects) if 0 in seen and not grouped else -1)
            objects += [(view, picture.cover[i].reshape(-1), members[i]) for i in seen]
        return self._collate(pixels, objects, mains, pool)

    def _collate(
        self,
        pixels: list[np.ndarray],
        objects: list[tuple[int, np.ndarray, int]],
        mains: list[int],
        pool: list[Subject],
    ) -> Views:
        nouns = [NOUNS.index(self.cast.noun(subject)) for subject in pool]
        colours = np.stack([self.cast.shares(subject) for subject in pool])
        view, cover, member = zip(*objects, strict=True)
        return Views(
            pixels=torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2),
            view=torch.tensor(view),
            cover=torch.from_numpy(np.stack(cover)),
            identity=torch.tensor(member),
            noun=torch.tensor([nouns[index] for index in member]),
            colour=torch.from_numpy(colours[list(member)]),
            main=torch.tensor(mains),
        )


def identity_head() -> nn.Sequential:
    """Build a head with the layers of FastVLM's projector, which begins as one; it leaves room there for the facts."""
    hidden = 2 * ((256 - 2 * sum(FACTS.values())) // 2)
    return nn.Sequential(nn.Linear(TOWER_WIDTH, hidden), nn.GELU(), nn.Linear(hidden, EMBEDDING))


class TowerWithHeads(nn.Module):
    """The tower, and the heads that exist during stage A only."""

    def __init__(self, side: int) -> None:
        """Build both; `side` is that of the finished model's pictures."""
        super().__init__()
        self.tower = build_tower(side)
        self.whole, self.part = identity_head(), identity_head()
        self.noun = nn.Linear(TOWER_WIDTH, len(NOUNS))
        self.place, self.subject, self.colour = (nn.Linear(TOWER_WIDTH, number) for number in FACTS.values())

    def groups(self, tower_factor: float) -> list[dict[str, object]]:
        """List what is trained: the heads, and more slowly the tower."""
        tower = list(trained_parameters(self.tower))
        heads = [parameter for name, parameter in self.named_parameters() if not name.startswith("tower.")]
        return [{"params": heads}, {"params": tower, "factor": tower_factor}]

    def tokens(self, pixels: Tensor) -> Tensor:
        """Encode uint8 pictures into visual tokens."""
        return tower_features(self.tower, pixels)

    def pooled(self, tokens: Tensor, views: Views) -> Tensor:
        """Average the tokens of every object, weighted by how much of it they show."""
        first = torch.searchsorted(views.view, views.view)  # objects come sorted by view
        slot = torch.arange(len(views.view), device=tokens.device) - first
        weights = torch.zeros(len(tokens), int(slot.max()) + 1, tokens.shape[1], device=tokens.device)
        weights[views.view, slot] = views.cover / views.cover.sum(1, keepdim=True)
        return torch.bmm(weights.to(tokens.dtype), tokens)[
            views.view, slot
        ]  # gathering tokens per object is slow backwards


@torch.no_grad()
def begin_heads(model: TowerWithHeads, views: Views) -> None:
    """Let the identity heads begin as what ImageNet's features tell: their principal directions, partly whitened."""
    tokens = model.tokens(views.pixels).flatten(0, 1)
    centre = tokens.mean(0)
    hidden = model.part[0].out_features
    _, sizes, directions = torch.linalg.svd(tokens - centre, full_matrices=False)
    matrix = directions[: hidden // 2] / sizes[: hidden // 2, None].sqrt()
    matrix = matrix / ((tokens - centre) @ matrix.T).std()
    for head in (model.whole, model.part):
        head[0].weight.copy_(torch.cat([matrix, -matrix]))  # gelu(z) - gelu(-z) is z
        head[0].bias.copy_(head[0].weight @ -centre)
        head[2].weight.mul_(0.1)
        eye = torch.eye(EMBEDDING, hidden // 2)
        head[2].weight += torch.cat([eye, -eye], 1)
        head[2].bias.zero_()
    begin_nouns(model.noun)


@torch.no_grad()
def begin_nouns(noun: nn.Linear) -> None:
    """Let the nouns begin as the mean of ImageNet's classes that they stand for; unlikely where there is none."""
    weight, bias = imagenet_classifier()
    noun.weight.copy_(weight.mean(0).expand_as(noun.weight))
    noun.bias.fill_(UNLIKELY)
    for name in set(IMAGENET_NOUNS.values()):
        classes = [index for index, word in IMAGENET_NOUNS.items() if word == name]
        row = NOUNS.index(name)
        noun.weight[row], noun.bias[row] = weight[classes].mean(0), bias[classes].mean()


def losses(
    model: TowerWithHeads,
    views: Views,
    generator: torch.Generator,
    *,
    known: Tensor | None = None,
    recall: Recall | None = None,
) -> dict[str, Tensor]:
    """Compute every loss of stage A on one batch, of which the visual tokens may be known.

    `recall`: what ImageNet's tower says is asked of pictures with a main subject.
    """
    tokens = model.tokens(views.pixels) if known is None else known
    pooled = model.pooled(tokens, views)
    anchors = functional.normalize(model.whole(pooled).float(), dim=-1)
    same = views.identity[:, None] == views.identity[None]
    itself = torch.eye(len(same), dtype=torch.bool, device=same.device)
    parts = {
        "whole": contrast(anchors @ anchors.T / TEMPERATURE, same & ~itself, ~itself),
        "part": _dense_contrast(model, tokens, views, anchors, generator),
        "noun": _nouns(model, tokens, pooled, views),
        "colour": functional.cross_entropy(model.colour(pooled).float(), views.colour),
        "subject": _subject_mask(model, tokens, views),
        "place": places(model, tokens),
    }
    subjects = views.main >= 0
    if recall is not None and subjects.any():
        parts["recall"] = RECALL_WEIGHT * recall(tokens[subjects], views.pixels[subjects])
    return parts


def contrast(logits: Tensor, positive: Tensor, allowed: Tensor) -> Tensor:
    """Supervised contrastive loss: positives of each row against all allowed; rows without one are left out."""
    log_share = logits.masked_fill(~allowed, float("-inf")).log_softmax(1).masked_fill(~positive, 0.0)
    count = positive.sum(1)
    return -(log_share.sum(1) / count.clamp(min=1))[count > 0].mean()


def _dense_contrast(
    model: TowerWithHeads, tokens: Tensor, views: Views, anchors: Tensor, generator: torch.Generator
) -> Tensor:
    """Pull tokens of an object to the same object in other views, away from everything else, also in the same view."""
    owner, place = (views.cover > SHOWN).nonzero(as_tuple=True)
    chosen = torch.randperm(len(owner), generator=generator)[:DENSE_TOKENS].to(owner.device)
    owner, place = owner[chosen], place[chosen]
    queries = functional.normalize(model.part(tokens[views.view[owner], place]).float(), dim=-1)
    same = views.identity[owner][:, None] == views.identity[None]
    elsewhere = views.view[owner][:, None] != views.view[None]
    return contrast(queries @ anchors.T / TEMPERATURE, same & elsewhere, ~same | elsewhere)


def _nouns(model: TowerWithHeads, tokens: Tensor, pooled: Tensor, views: Views) -> Tensor:
    """Name objects, and their single tokens, for it is these that the language part will read."""
    owner, place = (views.cover > SHOWN).nonzero(as_tuple=True)
    of_object = functional.cross_entropy(model.noun(pooled).float(), views.noun)
    of_token = functional.cross_entropy(model.noun(tokens[views.view[owner], place]).float(), views.noun[owner])
    return 0.6 * of_object + 0.4 * of_token


def _subject_mask(model: TowerWithHeads, tokens: Tensor, views: Views) -> Tensor:
    """Tell the main subject's tokens from all others, where a view has a main subject."""
    target = views.cover[views.main.clamp(min=0)].clamp(0, 1)
    loss = functional.binary_cross_entropy_with_logits(
        model.subject(tokens).squeeze(-1).float(), target, reduction="none"
    ).mean(1)
    has_main = (views.main >= 0).float()
    return 0.5 * (loss * has_main).sum() / has_main.sum().clamp(min=1)


def places(model: TowerWithHeads, tokens: Tensor) -> Tensor:
    """Tell where every token stands (-1..1 across and down): for identity alone the tower would forget it."""
    grid = round(tokens.shape[1] ** 0.5)
    index = torch.arange(grid**2, device=tokens.device)
    target = torch.stack([index % grid, index // grid], -1) / (0.5 * (grid - 1)) - 1
    return functional.mse_loss(model.place(tokens).float(), target.expand(len(tokens), -1, -1))


@torch.no_grad()
def retrieval(model: TowerWithHeads, views: Views, device: str) -> dict[str, float]:
    """Measure how often an object's nearest neighbour in other views is the same object (look-alikes included)."""
    views = views.to(device)
    with convolution_precision(device):
        tokens = model.tokens(views.pixels)
        pooled = model.pooled(tokens, views)
        anchors = functional.normalize(model.whole(pooled).float(), dim=-1)
        noun = (model.noun(pooled).argmax(-1) == views.noun).float().mean()
        colour = (model.colour(pooled).argmax(-1) == views.colour.argmax(-1)).float().mean()
        queries = functional.normalize(model.part(tokens).float(), dim=-1)
    same, other_view = views.identity[:, None] == views.identity[None], views.view[:, None] != views.view[None]
    nearest = (anchors @ anchors.T).masked_fill(~other_view, -2).argmax(1)
    owner, place = (views.cover > SHOWN).nonzero(as_tuple=True)
    similarity = (queries[views.view[owner], place] @ anchors.T).masked_fill(~other_view[owner], -2)
    answerable = (same & other_view).any(1)
    whole = (views.identity[nearest] == views.identity)[answerable].float().mean()
    part = (views.identity[similarity.argmax(1)] == views.identity[owner])[answerable[owner]].float().mean()
    return {
        name: round(float(value), 3)
        for name, value in (("whole", whole), ("part", part), ("noun", noun), ("colour", colour))
    }


def train(preset: Preset, world: Path, folder: Path, device: str, crew: Crew = ALONE) -> None:
    """Run or resume stage A."""
    stage, assets = preset.tower, read_pack(world)
    torch.manual_seed(preset.seed)
    model, recall = TowerWithHeads(preset.shape.image_side).to(device), Recall().to(device)
    optimiser = optimizer(model.groups(stage.tower_factor), stage.rate)
    checked = [Order(CHECKED_SIDE, CHECKED_VIEWS, CHECKED_IDENTITIES)]
    seen = ViewBatches(Cast(assets, "val"), preset.seed + 1, checked)[0]
    state, start = load(folder / "tower.pt", device), 0
    if state:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        start = state["step"]
        LOGGER.info("resumed at step %d", start)
    else:
        begin_heads(model, seen.to(device))
    ordered = orders(stage.phases, stage.views_per_identity, preset.seed, crew.size)
    batches = ViewBatches(Cast(assets, "train"), preset.seed + crew.seed, ordered)
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=range(start, len(ordered)),
        num_workers=stage.workers,
        prefetch_factor=4 if stage.workers else None,
    )
    progress = Progress(len(ordered))
    for step, views in enumerate(loader, start):
        set_rate(optimiser, stage.rate, step, len(ordered))
        generator = torch.Generator().manual_seed(preset.seed + step)
        parts = _step(model, recall, optimiser, views.to(device), generator, crew)
        if not crew.leads:
            continue
        progress(step, parts)
        last = step + 1 == len(ordered)
        if (step + 1) % CHECK_STEPS == 0 or last or not step:
            note(folder, stage="tower", step=step + 1, **retrieval(model, seen, device))
        if (step + 1) % SAVE_STEPS == 0 or last:
            save(folder / "tower.pt", model=model.state_dict(), optimiser=optimiser.state_dict(), step=step + 1)


def _step(
    model: TowerWithHeads,
    recall: Recall,
    optimiser: torch.optim.Optimizer,
    views: Views,
    generator: torch.Generator,
    crew: Crew,
) -> dict[str, float]:
    trained = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    with convolution_precision(views.pixels.device.type):
        parts = losses(model, views, generator, recall=recall)
    optimiser.zero_grad(set_to_none=True)
    torch.stack(list(parts.values())).sum().backward()
    crew.share_gradients(trained)
    nn.utils.clip_grad_norm_(trained, 1.0)
    optimiser.step()
    return {name: part.item() for name, part in parts.items()}


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    prepare(options.device, options.folder)
    train(read_preset(options.preset), options.world, options.folder, options.device, join_crew())


if __name__ == "__main__":
    main()
