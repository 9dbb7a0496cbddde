"""Compare pictures by their visual tokens alone: what only comparing could do, and how a tower is chosen."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sources import Asset
from torch import Tensor
from torch.nn import functional

See = Callable[[Tensor], Tensor]  # uint8 pictures [picture 3 side side] -> visual tokens [picture token width]
Compare = Callable[[Tensor, Tensor], Tensor]  # references and pictures [.. token width] -> likeness [reference picture]
AT_ONCE = 32
MOST_THINGS, MOST_PHOTOS = 24, 3  # of one family that are compared with each other


def late(references: Tensor, pictures: Tensor) -> Tensor:
    """Average, over the tokens of a reference, the best cosine among the tokens of a picture ("late interaction")."""
    ours, theirs = (functional.normalize(tokens.float(), dim=-1) for tokens in (references, pictures))
    return torch.stack([torch.einsum("td,pud->ptu", one, theirs).amax(-1).mean(-1) for one in ours])


def pooled(references: Tensor, pictures: Tensor) -> Tensor:
    """Compare the means of all tokens by their cosine."""
    ours, theirs = (functional.normalize(tokens.float().mean(1), dim=-1) for tokens in (references, pictures))
    return ours @ theirs.T


def squared(picture: Image.Image | NDArray[np.uint8], side: int) -> Tensor:
    """Stretch a picture to a square, as the model's processor does: [3 side side]."""
    rgb = np.asarray(picture.convert("RGB") if isinstance(picture, Image.Image) else picture[..., :3])
    method = cv2.INTER_AREA if min(rgb.shape[:2]) > side else cv2.INTER_CUBIC
    return torch.from_numpy(cv2.resize(rgb, (side, side), interpolation=method)).permute(2, 0, 1)


@torch.no_grad()
def seen(see: See, pictures: Sequence[Image.Image | NDArray[np.uint8]], side: int) -> Tensor:
    """Encode pictures, some at a time."""
    parts = [
        see(torch.stack([squared(picture, side) for picture in pictures[first : first + AT_ONCE]]))
        for first in range(0, len(pictures), AT_ONCE)
    ]
    return torch.cat(parts)


def held_back(assets: Sequence[Asset]) -> list[list[list[Asset]]]:
    """List the photographed things of the validation part with several photos, by family: family, thing, photo."""
    things: dict[str, dict[str, list[Asset]]] = defaultdict(lambda: defaultdict(list))
    for asset in assets:
        if asset.part == "val" and asset.kind != "sprite":
            things[asset.family][asset.identity].append(asset)
    several = [[photos[:MOST_PHOTOS] for photos in known.values() if len(photos) > 1] for known in things.values()]
    return [known[:MOST_THINGS] for known in several if len(known) > 1]


@dataclass(frozen=True)
class Family:
    """The things of one family as visual tokens: a reference of each, other photos, and whose these are."""

    references: Tensor
    photos: Tensor
    owners: Tensor


def encoded_families(see: See, families: Sequence[Sequence[Sequence[Asset]]], side: int) -> list[Family]:
    """Encode things by family: the first photo of each is its reference."""
    return [
        Family(
            seen(see, [photos[0].pixels for photos in things], side),
            seen(see, [photo.pixels for photos in things for photo in photos[1:]], side),
            torch.tensor([number for number, photos in enumerate(things) for _ in photos[1:]]),
        )
        for things in families
    ]


@torch.no_grad()
def told_apart(families: Sequence[Family], compare: Compare, through: See | None = None) -> float:
    """Measure how often a photo is likest to the reference of its own thing, among the things of its family."""
    see = through or (lambda tokens: tokens)
    right = [compare(see(f.references), see(f.photos)).argmax(0) == f.owners for f in families]
    return float(torch.cat(right).float().mean())
