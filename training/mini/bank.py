"""A bank of rendered pictures: references of a thousand subjects, scenes made of them, and what is true of each.

The language stage recombines the pictures of one bank thousands of times while the frozen tower encodes each only once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from subjects import Cast, Subject
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from wording import Look
from world import Picture, group_layout, main_layout, render

CHUNK = 64
REFERENCES = 3
LEAST_VISIBLE = 0.35
LEAST_TOKENS = 1.0
LEAST_INTRODUCED = 3.0
PHOTO_SHARE, TEXTURE_SHARE = 0.4, 0.1


@dataclass(frozen=True)
class Sighting:
    """A subject in a picture: who, its share of each token, its centre, the share of it that is visible."""

    member: int
    cover: NDArray[np.float32]
    centre: float
    visible: float

    @property
    def is_clear(self) -> bool:
        """Tell whether enough is visible to ask about it."""
        return self.visible > LEAST_VISIBLE and float(self.cover.sum()) > LEAST_TOKENS


@dataclass(frozen=True)
class Shown:
    """A picture of the bank: where its features are, and what it shows (the main subject first, if it has one)."""

    index: int
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True)
class Plan:
    """What a bank will hold: its subjects and, for each, the group of look-alikes it belongs to."""

    subjects: tuple[Subject, ...]
    groups: tuple[int, ...]


def plan_bank(
    cast: Cast,
    seed: int,
    epoch: int,
    identities: int,
    *,
    photos: float = PHOTO_SHARE,
    textures: float = TEXTURE_SHARE,
) -> Plan:
    """Draw the subjects of a bank, each with up to three look-alikes."""
    rng = np.random.default_rng([seed, epoch, 0])
    subjects: dict[Subject, int] = {}
    group = 0
    while len(subjects) < identities:
        group += 1
        subject = cast.random_subject(rng, photos, textures)
        for _ in range(int(rng.integers(1, 4))):
            subjects.setdefault(subject, group)
            subject = cast.look_alike(rng, subject)
    return Plan(tuple(subjects), tuple(subjects.values()))


class Chunks(Dataset[list[tuple[Picture, tuple[int, ...]]]]):
    """Chunk number -> that many rendered pictures: first the references of every subject, then the scenes."""

    def __init__(self, cast: Cast, plan: Plan, seed: int, epoch: int, scenes: int, side: int, grid: int) -> None:
        """Lay out one bank."""
        self.cast, self.plan, self.key = cast, plan, (seed, epoch)
        self.references = len(plan.subjects) * REFERENCES
        self.total, self.side, self.grid = self.references + scenes, side, grid

    def __len__(self) -> int:
        """Count the chunks."""
        return (self.total + CHUNK - 1) // CHUNK

    def __getitem__(self, chunk: int) -> list[tuple[Picture, tuple[int, ...]]]:
        """Render one chunk."""
        cv2.setNumThreads(1)
        return [self._picture(index) for index in range(chunk * CHUNK, min(self.total, (chunk + 1) * CHUNK))]

    def _picture(self, index: int) -> tuple[Picture, tuple[int, ...]]:
        rng = np.random.default_rng([*self.key, 1, index])
        if index < self.references:
            members = (
                index // REFERENCES,
                *rng.choice(len(self.plan.subjects), int(rng.choice(3, p=(0.55, 0.25, 0.2)))).tolist(),
            )
            layout = main_layout(rng, len(members))
        else:
            members = self._scene(rng)
            alone = len(members) == 1 and rng.random() < 0.6
            layout = (main_layout if alone else group_layout)(rng, len(members))
        subjects = [self.plan.subjects[member] for member in members]
        return render(rng, self.cast, subjects, layout, side=self.side, grid=self.grid, whole_photo=0.6), members

    def _scene(self, rng: np.random.Generator) -> tuple[int, ...]:
        members: list[int] = []
        for _ in range(int(rng.choice(5, p=(0.04, 0.36, 0.24, 0.21, 0.15)))):
            twins = [m for m in self._twins(members) if m not in members]
            new = (
                int(rng.choice(twins)) if twins and rng.random() < 0.25 else int(rng.integers(len(self.plan.subjects)))
            )
            if new not in members:
                members.append(new)
        return tuple(members)

    def _twins(self, members: Sequence[int]) -> list[int]:
        around = {
            near for member in members for near in (member - 1, member + 1) if 0 <= near < len(self.plan.subjects)
        }
        return [
            near for near in around if any(self.plan.groups[near] == self.plan.groups[member] for member in members)
        ]


@dataclass(frozen=True)
class Bank:
    """The features of the pictures, and the facts about them."""

    features: Tensor  # picture token width
    references: tuple[tuple[Shown, ...], ...]  # of each subject; views that hide it are left out
    scenes: tuple[Shown, ...]
    looks: tuple[Look, ...]
    groups: tuple[int, ...]

    def look_alikes(self, member: int) -> list[int]:
        """List the other subjects of a group that can be shown."""
        near = range(max(0, member - 3), min(len(self.groups), member + 4))
        return [
            other
            for other in near
            if other != member and self.groups[other] == self.groups[member] and self.references[other]
        ]


def render_bank(chunks: Chunks, workers: int) -> Iterator[tuple[Tensor, list[Shown]]]:
    """Render chunk by chunk: pictures, and what they show."""
    index = 0
    for chunk in DataLoader(chunks, batch_size=None, num_workers=workers):
        shown = []
        for picture, members in chunk:
            shown.append(_facts(index, picture, members))
            index += 1
        yield (
            torch.from_numpy(np.stack([picture.pixels for picture, _ in chunk])).permute(0, 3, 1, 2).contiguous(),
            shown,
        )


def _facts(index: int, picture: Picture, members: tuple[int, ...]) -> Shown:
    cover = picture.cover.reshape(len(members), np.prod(picture.cover.shape[1:])).astype(np.float32)
    rows = zip(members, cover, picture.centre, picture.visible, strict=True)
    return Shown(index, tuple(Sighting(member, tokens, centre, visible) for member, tokens, centre, visible in rows))


def looks(cast: Cast, plan: Plan) -> tuple[Look, ...]:
    """Describe every subject of a plan."""
    told = []
    for subject in plan.subjects:
        height, width = cast.cutout(subject, 0).shape[:2]
        told.append(Look(cast.noun(subject), cast.shares(subject), height / width))
    return tuple(told)


def build_bank(chunks: Chunks, encode: Callable[[Tensor], Tensor], workers: int, kept: Path | None = None) -> Bank:
    """Render and encode a bank, and sort it into references and scenes; `kept`: a file for it, for the next time."""
    if kept and kept.exists():
        features, shown = _read(kept)
    else:
        encoded, shown = [], []
        for pictures, facts in render_bank(chunks, workers):
            encoded.append(encode(pictures))
            shown += facts
        features = torch.cat(encoded)
        if kept:
            _write(kept, features, shown)
    references = tuple(
        tuple(view for view in shown[first : first + REFERENCES] if _introduces(view))
        for first in range(0, chunks.references, REFERENCES)
    )
    told = looks(chunks.cast, chunks.plan)
    return Bank(features, references, tuple(shown[chunks.references :]), told, chunks.plan.groups)


def _introduces(view: Shown) -> bool:
    """Tell whether enough of the main subject can be seen to remember it."""
    main = view.sightings[0]
    return main.is_clear and float(main.cover.sum()) > LEAST_INTRODUCED


def _write(path: Path, features: Tensor, shown: Sequence[Shown]) -> None:
    seen = [(view.index, sighting) for view in shown for sighting in view.sightings]
    table = {
        "features": features,
        "pictures": torch.tensor(len(shown)),
        "picture": torch.tensor([index for index, _ in seen]),
        "member": torch.tensor([sighting.member for _, sighting in seen]),
        "cover": torch.from_numpy(np.stack([sighting.cover for _, sighting in seen])).half(),
        "centre": torch.tensor([sighting.centre for _, sighting in seen]),
        "visible": torch.tensor([sighting.visible for _, sighting in seen]),
    }
    save_file(table, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)


def _read(path: Path) -> tuple[Tensor, list[Shown]]:
    table = load_file(path)
    seen: list[list[Sighting]] = [[] for _ in range(int(table["pictures"]))]
    cover = table["cover"].float().numpy()
    columns = (table[name].tolist() for name in ("picture", "member", "centre", "visible"))
    for row, (picture, member, centre, visible) in enumerate(zip(*columns, strict=True)):
        seen[picture].append(Sighting(member, cover[row], centre, visible))
    return table["features"], [Shown(index, tuple(sightings)) for index, sightings in enumerate(seen)]
