"""Stage A: teach the vision tower identity by contrast between views, and what is to be said by extra heads.

python tower.py --preset cpu.toml --world WORLD.npz --folder FOLDER [--device cuda]
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from architecture import build_tower
from colours import COLOURS
from crew import ALONE, Crew, join_crew
from machine import (
    LOGGER,
    Progress,
    half_precision,
    load,
    note,
    optimizer,
    prepare,
    save,
    set_rate,
)
from nouns import NOUNS
from presets import Preset, Shape, read_preset
from sources import read_pack
from subjects import Cast, Subject
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from transformers import AutoModelForImageTextToText
from world import group_layout, main_layout, render

TEMPERATURE = 0.08
EMBEDDING = 128
DENSE_TOKENS = 768
CLEAR_COVER = 0.3
SHOWN_LEAD = 0.3  # how much rather a patch that shows something is kept
GROUPED = 0.5  # share of views that show several things of similar size, none of them the main subject
SMALLEST_COVER = 0.6  # visible tokens below which an object teaches nothing
CHECK_STEPS = 200


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

    def thinned(self, share: float, generator: torch.Generator) -> tuple["Views", Tensor | None]:
        """Keep a share of the patches of every view, rather those that show something; say which."""
        if share >= 1:
            return self, None
        tokens = self.cover.shape[1]
        shown = torch.zeros(len(self.pixels), tokens).index_add(0, self.view, self.cover) > CLEAR_COVER
        scores = torch.rand(len(self.pixels), tokens, generator=generator) + SHOWN_LEAD * shown
        kept = scores.topk(max(1, round(share * tokens)), 1).indices.sort(1).values
        cover = self.cover.gather(1, kept[self.view])
        left = cover.sum(1) > SMALLEST_COVER
        main = self.main.clamp(min=0)
        moved = torch.where((self.main >= 0) & left[main], (left.cumsum(0) - 1)[main], -1)
        objects = {name: getattr(self, name)[left] for name in ("view", "identity", "noun", "colour")}
        return replace(self, **objects, cover=cover[left], main=moved), kept


class ViewBatches(Dataset[Views]):
    """Batch number -> batch: the same batch for the same seed and number, on every machine and after every restart."""

    def __init__(self, cast: Cast, seed: int, sides: list[int], views: int, identities: int, patch: int) -> None:
        """Render `len(sides)` batches, each at its own size."""
        self.cast, self.seed, self.sides = cast, seed, sides
        self.views, self.identities, self.patch = views, identities, patch

    def __len__(self) -> int:
        """Count the batches."""
        return len(self.sides)

    def _pool(self, rng: np.random.Generator) -> list[Subject]:
        pool: list[Subject] = []
        while len(pool) < self.identities:
            pool.append(self.cast.random_subject(rng))
            while rng.random() < 0.5:
                pool.append(self.cast.look_alike(rng, pool[-1]))
        return list(dict.fromkeys(pool[: self.identities]))

    def __getitem__(self, number: int) -> Views:
        """Render one batch."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.seed, number])
        pool, side = self._pool(rng), self.sides[number]
        pixels, objects, mains = [], [], []
        for view in range(self.views):
            members = [
                view % len(pool),
                *rng.choice(len(pool), int(rng.choice(4, p=(0.3, 0.3, 0.25, 0.15))), replace=False).tolist(),
            ]
            grouped = rng.random() < GROUPED
            members = list(dict.fromkeys(members))
            layout = (group_layout if grouped else main_layout)(rng, len(members))
            subjects = [pool[member] for member in members]
            picture = render(rng, self.cast, subjects, layout, side=side, grid=side // self.patch, whole_photo=0.6)
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


def identity_head(width: int) -> nn.Sequential:
    """Build a head with the layers of InternVL's projector, which begins as one of them."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, EMBEDDING))


class TowerWithHeads(nn.Module):
    """The tower, and the heads that exist during stage A only."""

    def __init__(self, shape: Shape) -> None:
        """Build both."""
        super().__init__()
        self.tower, self.patch = build_tower(shape), shape.patch
        width = shape.vision_width
        self.whole, self.part = identity_head(width), identity_head(width)
        self.noun = nn.Linear(width, len(NOUNS))
        self.colour = nn.Linear(width, len(COLOURS))
        self.subject = nn.Linear(width, 1)
        self.place = nn.Linear(width, 2)

    def tokens(self, pixels: Tensor, kept: Tensor | None = None) -> Tensor:
        """Encode uint8 pictures into visual tokens, without the class token; `kept` [view, number] leaves out others.

        Leaving out half of the patches before the first layer halves the price of a step ("FLIP", Li et al. 2023).
        """
        embedded = self.tower.embeddings(pixels.float() / 127.5 - 1)
        if kept is not None:
            patches = embedded[:, 1:].gather(1, kept[..., None].expand(-1, -1, embedded.shape[-1]))
            embedded = torch.cat([embedded[:, :1], patches], 1)
        return self.tower.layernorm(self.tower.encoder(embedded).last_hidden_state)[:, 1:]

    def pooled(self, tokens: Tensor, views: Views) -> Tensor:
        """Average the tokens of every object, weighted by how much of it they show."""
        first = torch.searchsorted(views.view, views.view)  # objects come sorted by view
        slot = torch.arange(len(views.view), device=tokens.device) - first
        weights = torch.zeros(len(tokens), int(slot.max()) + 1, tokens.shape[1], device=tokens.device)
        weights[views.view, slot] = views.cover / views.cover.sum(1, keepdim=True)
        return torch.bmm(weights.to(tokens.dtype), tokens)[
            views.view, slot
        ]  # gathering tokens per object is slow backwards


def losses(
    model: TowerWithHeads, views: Views, generator: torch.Generator, kept: Tensor | None = None
) -> dict[str, Tensor]:
    """Compute every loss of stage A on one batch."""
    tokens = model.tokens(views.pixels, kept)
    pooled = model.pooled(tokens, views)
    anchors = functional.normalize(model.whole(pooled).float(), dim=-1)
    same = views.identity[:, None] == views.identity[None]
    itself = torch.eye(len(same), dtype=torch.bool, device=same.device)
    return {
        "whole": contrast(anchors @ anchors.T / TEMPERATURE, same & ~itself, ~itself),
        "part": _dense_contrast(model, tokens, views, anchors, generator),
        "noun": 0.6 * functional.cross_entropy(model.noun(pooled).float(), views.noun),
        "colour": 0.5 * functional.cross_entropy(model.colour(pooled).float(), views.colour),
        "subject": _subject_mask(model, tokens, views),
        "place": _places(model, tokens, kept, views.pixels.shape[-1] // model.patch),
    }


def contrast(logits: Tensor, positive: Tensor, allowed: Tensor) -> Tensor:
    """Supervised contrastive loss: positives of each row against all allowed; rows without one are left out."""
    log_share = logits.masked_fill(~allowed, float("-inf")).log_softmax(1).masked_fill(~positive, 0.0)
    count = positive.sum(1)
    return -(log_share.sum(1) / count.clamp(min=1))[count > 0].mean()


def _dense_contrast(
    model: TowerWithHeads, tokens: Tensor, views: Views, anchors: Tensor, generator: torch.Generator
) -> Tensor:
    """Pull tokens of an object to the same object in other views, away from everything else, also in the same view."""
    owner, place = (views.cover > 0.5).nonzero(as_tuple=True)
    chosen = torch.randperm(len(owner), generator=generator)[:DENSE_TOKENS].to(owner.device)
    owner, place = owner[chosen], place[chosen]
    queries = functional.normalize(model.part(tokens[views.view[owner], place]).float(), dim=-1)
    same = views.identity[owner][:, None] == views.identity[None]
    elsewhere = views.view[owner][:, None] != views.view[None]
    return contrast(queries @ anchors.T / TEMPERATURE, same & elsewhere, ~same | elsewhere)


def _subject_mask(model: TowerWithHeads, tokens: Tensor, views: Views) -> Tensor:
    """Tell the main subject's tokens from all others, where a view has a main subject."""
    target = views.cover[views.main.clamp(min=0)].clamp(0, 1)
    loss = functional.binary_cross_entropy_with_logits(
        model.subject(tokens).squeeze(-1).float(), target, reduction="none"
    ).mean(1)
    has_main = (views.main >= 0).float()
    return 0.5 * (loss * has_main).sum() / has_main.sum().clamp(min=1)


def _places(model: TowerWithHeads, tokens: Tensor, kept: Tensor | None, grid: int) -> Tensor:
    """Tell where every token stands (-1..1 across and down): for identity alone the tower would forget it."""
    index = torch.arange(grid**2, device=tokens.device).expand(len(tokens), -1) if kept is None else kept
    target = torch.stack([index % grid, index // grid], -1) / (0.5 * (grid - 1)) - 1
    return functional.mse_loss(model.place(tokens).float(), target)


@torch.no_grad()
def retrieval(model: TowerWithHeads, views: Views, device: str) -> dict[str, float]:
    """Measure how often an object's nearest neighbour in other views is the same object (look-alikes included)."""
    views = views.to(device)
    with half_precision(device):
        tokens = model.tokens(views.pixels)
        pooled = model.pooled(tokens, views)
        anchors = functional.normalize(model.whole(pooled).float(), dim=-1)
        noun = (model.noun(pooled).argmax(-1) == views.noun).float().mean()
        colour = (model.colour(pooled).argmax(-1) == views.colour.argmax(-1)).float().mean()
        queries = functional.normalize(model.part(tokens).float(), dim=-1)
    same, other_view = views.identity[:, None] == views.identity[None], views.view[:, None] != views.view[None]
    nearest = (anchors @ anchors.T).masked_fill(~other_view, -2).argmax(1)
    owner, place = (views.cover > 0.5).nonzero(as_tuple=True)
    similarity = (queries[views.view[owner], place] @ anchors.T).masked_fill(~other_view[owner], -2)
    answerable = (same & other_view).any(1)
    whole = (views.identity[nearest] == views.identity)[answerable].float().mean()
    part = (views.identity[similarity.argmax(1)] == views.identity[owner])[answerable[owner]].float().mean()
    return {
        name: round(float(value), 3)
        for name, value in (("whole", whole), ("part", part), ("noun", noun), ("colour", colour))
    }


def identity_rows(projector: nn.Module) -> int:
    """Count the coordinates of a visual token that begin as the identity head's: at most half of them."""
    return min(EMBEDDING, len(projector.linear_2.weight) // 2)


@torch.no_grad()
def start_from(model: TowerWithHeads, folder: Path) -> None:
    """Go on from an exported model: its tower, and its projector as the identity heads."""
    known = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).model
    model.tower.load_state_dict(known.vision_tower.state_dict())
    projector = known.multi_modal_projector
    rows = identity_rows(projector)
    for head in (model.part, model.whole):
        head[0].load_state_dict(projector.layer_norm.state_dict())
        if head[1].weight.shape != projector.linear_1.weight.shape:
            continue  # a language model of another width than the tower
        head[1].load_state_dict(projector.linear_1.state_dict())
        head[3].weight[:rows], head[3].bias[:rows] = projector.linear_2.weight[:rows], projector.linear_2.bias[:rows]


def train(
    preset: Preset, world: Path, folder: Path, device: str, begin: Path | None = None, crew: Crew = ALONE
) -> None:
    """Run or resume stage A."""
    stage, assets = preset.tower, read_pack(world)
    phases = [phase for phase in stage.phases for _ in range(phase.steps)]
    torch.manual_seed(preset.seed)
    model = TowerWithHeads(preset.shape).to(device)
    optimiser = optimizer([{"params": model.parameters()}], stage.rate)
    state = load(folder / "tower.pt", device)
    start = 0
    if state:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        start = state["step"]
        LOGGER.info("resumed at step %d", start)
    elif begin:
        start_from(model, begin)
    patch, sides = preset.shape.patch, [phase.side for phase in phases]
    validation = ViewBatches(Cast(assets, "val"), preset.seed + 1, sorted(set(sides)), 256, 128, patch)
    share = (stage.views // crew.size, stage.identities // crew.size)
    batches = ViewBatches(Cast(assets, "train"), preset.seed + crew.seed, sides, *share, patch)
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=range(start, len(sides)),
        num_workers=stage.workers,
        prefetch_factor=4 if stage.workers else None,
    )
    progress = Progress(len(sides))
    for step, drawn in enumerate(loader, start):
        set_rate(optimiser, stage.rate, step, len(sides))
        generator = torch.Generator().manual_seed(preset.seed + step)
        views, kept = drawn.thinned(phases[step].kept, generator)
        with half_precision(device):
            parts = losses(model, views.to(device), generator, None if kept is None else kept.to(device))
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        crew.share_gradients(model.parameters())
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if not crew.leads:
            continue
        progress(step, {name: part.item() for name, part in parts.items()})
        if (step + 1) % CHECK_STEPS == 0 or step + 1 == len(sides):
            seen = validation[sorted(set(sides)).index(sides[step])]
            note(folder, stage="tower", step=step + 1, **retrieval(model, seen, device))
            save(folder / "tower.pt", model=model.state_dict(), optimiser=optimiser.state_dict(), step=step + 1)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--start-from", type=Path, help="an exported model to go on from")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    prepare(options.device, options.folder)
    preset = read_preset(options.preset)
    train(preset, options.world, options.folder, options.device, options.start_from, join_crew())


if __name__ == "__main__":
    main()
