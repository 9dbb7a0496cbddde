"""Stage A ends: average the tower with the weights it came from, and fit the heads to what it has become.

python settle.py --preset cpu.toml --world WORLD.npz --data DATA --folder FOLDER [--compare 0.5 0.65 0.8]

Trained on, a tower tells look-alikes apart better and forgets some of what ImageNet taught it of photos; the mean of
both keeps most of either ("WiSE-FT", Wortsman et al. 2022). The preset's share was chosen with `--compare`, which
measures shares on validation subjects, drawn and photographed, and writes nothing. Else `settled.pt` is written, from
which the language part begins.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from architecture import imagenet_weights
from baselines import compared, encoded
from exam import PhotoConcept, photo_concepts
from machine import LOGGER, Progress, load, note, optimizer, prepare, save, set_rate
from matching import AT_ONCE, encoded_families, held_back, late, told_apart
from presets import Preset, read_preset
from scores import area_under_roc, best_f1
from sources import Asset, read_pack
from subjects import Cast
from torch import Tensor, nn
from torch.nn import functional
from tower import (
    CHECKED_IDENTITIES,
    CHECKED_VIEWS,
    SHOWN,
    TEMPERATURE,
    Order,
    TowerWithHeads,
    ViewBatches,
    Views,
    losses,
    places,
)
from tower import retrieval as composed_figures

KEPT_HEADS = ("noun", "subject")  # know photos better as they were trained
MIXED_HEADS = ("whole", "part")  # half-way between as trained and as fitted is better than either
CHOSEN = 0.12  # share of the tokens of a reference that count, those that show its subject best: as a memory does
HELD_BACK_SIDE = 256
BATCH = 48
MATCHED = 1024  # tokens compared with each other
NOT_SHOWN, NEVER = 0.05, -1e4


def averaged(model: TowerWithHeads, trained: dict[str, Tensor], share: float) -> None:
    """Set the tower to `share` of the trained weights and the rest of ImageNet's."""
    origin = imagenet_weights(model.tower)
    model.tower.load_state_dict(
        {
            name: torch.lerp(origin[name].float(), value.float(), share).to(value.dtype)
            for name, value in trained.items()
        }
    )


@torch.no_grad()
def measured(
    model: TowerWithHeads, views: Views, concepts: list[PhotoConcept], assets: list[Asset], side: int
) -> dict[str, float]:
    """Measure a tower with its heads on composed views, photos of concepts, and photographed things held back."""
    found = {f"composed_{name}": value for name, value in composed_figures(model, views, "cpu").items()}
    tokens = torch.cat([model.tokens(part) for part in views.pixels.split(AT_ONCE)])
    found["composed_match"] = round(nearest_alike(model, tokens, views), 3)
    found["place_error"] = round(float(places(model, tokens)), 3)
    known = encoded(model.tokens, concepts, side)
    families = encoded_families(model.tokens, held_back(assets), HELD_BACK_SIDE)
    remembered = replace(known, references=[subject_tokens(model, tokens) for tokens in known.references])
    for name, through in (("features", None), ("head", model.part)):
        decisions = compared(remembered, late, through)
        found[f"photos_{name}_f1"] = round(best_f1(decisions), 3)
        found[f"photos_{name}_area"] = round(area_under_roc(decisions), 3)
        found[f"held_back_{name}"] = round(told_apart(families, late, through), 3)
    return found


def subject_tokens(model: TowerWithHeads, tokens: Tensor) -> Tensor:
    """Keep the tokens of references [picture token width] that show the main subject best."""
    scores = model.subject(tokens).squeeze(-1)
    best = scores.topk(max(2, round(CHOSEN * scores.shape[1])), 1).indices
    return tokens.gather(1, best[..., None].expand(-1, -1, tokens.shape[-1]))


def nearest_alike(model: TowerWithHeads, tokens: Tensor, views: Views) -> float:
    """Measure how often the nearest token of another view shows the same subject, where there is one."""
    owner, place = (views.cover > SHOWN).nonzero(as_tuple=True)
    identity, view = views.identity[owner], views.view[owner]
    rows = functional.normalize(model.part(tokens[view, place]), dim=-1)
    elsewhere = view[:, None] != view
    nearest = (rows @ rows.T).masked_fill(~elsewhere, -2).argmax(1)
    answerable = ((identity[:, None] == identity) & elsewhere).any(1)
    return float((identity[nearest] == identity)[answerable].float().mean())


def cached(model: TowerWithHeads, batches: ViewBatches) -> Iterator[tuple[Views, Tensor]]:
    """Yield batches with the tokens of their views, of which the pixels are then no longer needed."""
    for number in range(len(batches)):
        views = batches[number]
        with torch.no_grad():
            yield replace(views, pixels=views.pixels[:0]), model.tokens(views.pixels).bfloat16()
        if (number + 1) % 10 == 0:
            LOGGER.info("encoded %d of %d batches", number + 1, len(batches))


def match(model: TowerWithHeads, tokens: Tensor, views: Views, generator: torch.Generator) -> Tensor:
    """Ask that the tokens nearest to a token of an object show the same object in other views ("MIL-NCE", Miech 2020).

    This is what attention will do between a picture and a memory: compare token with token. Tokens that show nothing
    of anything stand among those that must stay away.
    """
    owner, place = (views.cover > SHOWN).nonzero(as_tuple=True)
    chosen = torch.randperm(len(owner), generator=generator)[:MATCHED]
    owner, place = owner[chosen], place[chosen]
    shown = torch.zeros(tokens.shape[:2]).index_add(0, views.view, views.cover)
    view, empty = (shown < NOT_SHOWN).nonzero(as_tuple=True)
    idle = torch.randperm(len(view), generator=generator)[: MATCHED // 2]
    known = torch.cat([tokens[views.view[owner], place], tokens[view[idle], empty[idle]]])
    rows = functional.normalize(model.part(known), dim=-1)
    seen_in = torch.cat([views.view[owner], view[idle]])
    identity = torch.cat([views.identity[owner], torch.full((len(idle),), -1)])
    scores = rows[: len(owner)] @ rows.T / TEMPERATURE
    elsewhere = seen_in[: len(owner), None] != seen_in
    same = (identity[: len(owner), None] == identity) & elsewhere
    other = (identity[: len(owner), None] != identity) & elsewhere
    answerable = same.any(1)
    near, far = (scores.masked_fill(~some, NEVER)[answerable].logsumexp(1) for some in (same, same | other))
    return (far - near).mean()


def refit(model: TowerWithHeads, preset: Preset, world: list[Asset]) -> None:
    """Train the heads alone, over the tower as it is, at the size of the finished model's pictures.

    Few steps at a low rate: the heads would learn the few thousand views by heart. Those that know photos better
    as they were stay so; of the identity heads the mean of before and after is better than either.
    """
    stage, before = preset.tower, {name: value.clone() for name, value in model.state_dict().items()}
    identities = round(BATCH / stage.views_per_identity)
    ordered = [Order(preset.shape.image_side, BATCH, identities)] * stage.settle_batches
    known = list(cached(model, ViewBatches(Cast(world, "train"), preset.seed + 2, ordered)))
    heads = [p for name, p in model.named_parameters() if not name.startswith("tower.")]
    optimiser, progress = optimizer([{"params": heads}], stage.settle_rate), Progress(stage.settle_steps)
    for step in range(stage.settle_steps):
        set_rate(optimiser, stage.settle_rate, step, stage.settle_steps)
        generator = torch.Generator().manual_seed(preset.seed + step)
        views, tokens = known[int(torch.randint(len(known), (), generator=generator))]
        parts = losses(model, views, generator, known=tokens.float())
        parts["match"] = match(model, tokens.float(), views, generator)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(heads, 1.0)
        optimiser.step()
        progress(step, {name: part.item() for name, part in parts.items()})
    after = model.state_dict()
    shares = dict.fromkeys(KEPT_HEADS, 0.0) | dict.fromkeys(MIXED_HEADS, 0.5)
    model.load_state_dict(
        {
            name: torch.lerp(before[name], value, shares[head]) if (head := name.split(".")[0]) in shares else value
            for name, value in after.items()
        }
    )


def settle(preset: Preset, world: Path, data: Path, folder: Path, compare: Sequence[float] = ()) -> None:
    """Average, fit the heads, save; or only measure some shares."""
    assets, side = read_pack(world), preset.shape.image_side
    concepts = photo_concepts(data, "validation")
    ordered = [Order(side, CHECKED_VIEWS // 2, CHECKED_IDENTITIES // 2)]
    views = ViewBatches(Cast(assets, "val"), preset.seed + 3, ordered)[0]
    state = load(folder / "tower.pt", "cpu")
    if state is None:
        raise FileNotFoundError(f"no tower.pt in {folder}; run tower.py with the same --folder first")
    model = TowerWithHeads(side)
    model.load_state_dict(state["model"])
    trained = {name: value.clone() for name, value in model.tower.state_dict().items()}
    for share in compare:
        averaged(model, trained, share)
        note(folder, stage="share", share=share, **measured(model, views, concepts, assets, side))
    if compare:
        return
    averaged(model, trained, preset.tower.share)
    refit(model, preset, assets)
    note(folder, stage="settled", share=preset.tower.share, **measured(model, views, concepts, assets, side))
    save(folder / "settled.pt", model=model.state_dict(), step=state["step"], share=preset.tower.share)


def main() -> None:
    """Read the command line and settle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--compare", type=float, nargs="+", default=[], help="shares to measure, instead")
    options = parser.parse_args()
    prepare("cpu", options.folder)
    settle(read_preset(options.preset), options.world, options.data, options.folder, options.compare)


if __name__ == "__main__":
    main()
