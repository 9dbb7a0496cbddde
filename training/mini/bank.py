"""A bank of rendered pictures: references of some thousand subjects, scenes made of them, single photos; what is true.

The language stage recombines the pictures of one bank thousands of times while the frozen tower encodes each only once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from nouns import NOUNS
from numpy.typing import NDArray
from safetensors import safe_open
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
AT_HOME = 0.5  # share of a subject's references that were taken in the same place
SOMEBODYS_HOME, OF_THESE = 0.4, 0.5  # share of scenes in a subject's place, and of these, of one who is there


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
    host: int = -1  # whose place it is, -1 for nobody's
    measured: bool = True  # whether it is known how much of the picture the main subject covers


@dataclass(frozen=True)
class Plan:
    """What a bank will hold: its subjects and, for each, the group of look-alikes it belongs to; single photos."""

    subjects: tuple[Subject, ...]
    groups: tuple[int, ...]
    singles: tuple[Subject, ...] = ()


def plan_bank(
    cast: Cast,
    seed: int,
    epoch: int,
    identities: int,
    *,
    singles: int = 0,
    photos: float = PHOTO_SHARE,
    textures: float = TEXTURE_SHARE,
) -> Plan:
    """Draw the subjects of a bank, each with up to three look-alikes, and things that are shown once, in a photo."""
    rng = np.random.default_rng([seed, epoch, 0])
    subjects: dict[Subject, int] = {}
    group = 0
    while len(subjects) < identities:
        group += 1
        subject = cast.random_subject(rng, photos, textures)
        for _ in range(int(rng.integers(1, 4))):
            subjects.setdefault(subject, group)
            subject = cast.look_alike(rng, subject)
    once = [Subject(thing, 0) for thing in cast.scenic_things(rng, singles)] if singles else []
    return Plan(tuple(subjects), tuple(subjects.values()), tuple(once))


@dataclass(frozen=True)
class Rendered:
    """A picture, the subjects of the bank that it shows, and whose place it is (-1 for nobody's)."""

    picture: Picture
    members: tuple[int, ...]
    host: int


class Chunks(Dataset[list[Rendered]]):
    """Chunk number -> that many rendered pictures: the references of every subject, the scenes, the single photos."""

    def __init__(self, cast: Cast, plan: Plan, seed: int, epoch: int, scenes: int, side: int, grid: int) -> None:
        """Lay out one bank."""
        self.cast, self.plan, self.key = cast, plan, (seed, epoch)
        self.references = len(plan.subjects) * REFERENCES
        self.scenes_end = self.references + scenes
        self.total, self.side, self.grid = self.scenes_end + len(plan.singles), side, grid

    @property
    def content(self) -> str:
        """Say what is rendered, so that a kept bank is not taken for another."""
        (seed, epoch), plan = self.key, self.plan
        counts = f"{len(plan.subjects)} subjects, {len(plan.singles)} single photos, {self.total} pictures"
        return f"seed {seed}, part {epoch}, {counts} of {self.side} pixels"

    def __len__(self) -> int:
        """Count the chunks."""
        return (self.total + CHUNK - 1) // CHUNK

    def __getitem__(self, chunk: int) -> list[Rendered]:
        """Render one chunk."""
        cv2.setNumThreads(1)
        return [self._picture(index) for index in range(chunk * CHUNK, min(self.total, (chunk + 1) * CHUNK))]

    def _picture(self, index: int) -> Rendered:
        rng = np.random.default_rng([*self.key, 1, index])
        if index >= self.scenes_end:
            return self._single(rng, index - self.scenes_end)
        if index < self.references:
            members = (
                index // REFERENCES,
                *rng.choice(len(self.plan.subjects), int(rng.choice(3, p=(0.55, 0.25, 0.2)))).tolist(),
            )
            layout = main_layout(rng, len(members))
            host = members[0] if rng.random() < AT_HOME else -1
        else:
            members = self._scene(rng)
            host = self._host(rng, members)
            alone = len(members) == 1 and rng.random() < 0.6
            layout = (main_layout if alone else group_layout)(rng, len(members))
        subjects = [self.plan.subjects[member] for member in members]
        room = (*self.key, 2, host) if host >= 0 else None
        picture = render(rng, self.cast, subjects, layout, side=self.side, grid=self.grid, whole_photo=0.6, room=room)
        return Rendered(picture, members, host)

    def _single(self, rng: np.random.Generator, number: int) -> Rendered:
        """Show a thing once, in its own photo; it is counted behind all others."""
        thing = [self.plan.singles[number]]
        picture = render(rng, self.cast, thing, main_layout(rng, 1), side=self.side, grid=self.grid, whole_photo=1.0)
        return Rendered(picture, (len(self.plan.subjects) + number,), -1)

    def _host(self, rng: np.random.Generator, members: Sequence[int]) -> int:
        if rng.random() >= SOMEBODYS_HOME:
            return -1
        of_these = members and rng.random() < OF_THESE
        return int(rng.choice(members)) if of_these else int(rng.integers(len(self.plan.subjects)))

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
    singles: tuple[Shown, ...]
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
        for rendered in chunk:
            shown.append(_facts(index, rendered))
            index += 1
        pixels = np.stack([rendered.picture.pixels for rendered in chunk])
        yield torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), shown


def _facts(index: int, rendered: Rendered) -> Shown:
    picture, members = rendered.picture, rendered.members
    cover = picture.cover.reshape(len(members), np.prod(picture.cover.shape[1:])).astype(np.float32)
    rows = zip(members, cover, picture.centre, picture.visible, strict=True)
    sightings = tuple(Sighting(member, tokens, centre, visible) for member, tokens, centre, visible in rows)
    return Shown(index, sightings, rendered.host, picture.measured)


def looks(cast: Cast, plan: Plan) -> tuple[Look, ...]:
    """Describe every subject of a plan, single photos last."""
    told = []
    for subject in (*plan.subjects, *plan.singles):
        height, width = cast.cutout(subject, 0).shape[:2]
        told.append(Look(cast.noun(subject), cast.shares(subject), height / width))
    return tuple(told)


def build_bank(chunks: Chunks, encode: Callable[[Tensor], Tensor], workers: int, kept: Path | None = None) -> Bank:
    """Render and encode a bank, and sort it into references and scenes; `kept`: a file for it, for the next time."""
    if kept and kept.exists():
        features, shown, told = _read(kept, chunks.content)
    else:
        features, shown = torch.empty(0), []
        for pictures, facts in render_bank(chunks, workers):
            encoded = encode(pictures)
            if not shown:
                features = encoded.new_empty(chunks.total, *encoded.shape[1:])
            features[len(shown) : len(shown) + len(facts)] = encoded
            shown += facts
        told = looks(chunks.cast, chunks.plan)
        if kept:
            _write(kept, features, shown, told, chunks.content)
    references = tuple(
        tuple(view for view in shown[first : first + REFERENCES] if _introduces(view))
        for first in range(0, chunks.references, REFERENCES)
    )
    scenes, singles = shown[chunks.references : chunks.scenes_end], shown[chunks.scenes_end :]
    return Bank(features, references, tuple(scenes), tuple(singles), told, chunks.plan.groups)


def _introduces(view: Shown) -> bool:
    """Tell whether enough of the main subject can be seen to remember it."""
    main = view.sightings[0]
    return main.is_clear and float(main.cover.sum()) > LEAST_INTRODUCED


def _write(path: Path, features: Tensor, shown: Sequence[Shown], told: Sequence[Look], content: str) -> None:
    seen = [(view.index, sighting) for view in shown for sighting in view.sightings]
    table = {
        "features": features,
        "host": torch.tensor([view.host for view in shown]),
        "measured": torch.tensor([view.measured for view in shown]),
        "picture": torch.tensor([index for index, _ in seen]),
        "member": torch.tensor([sighting.member for _, sighting in seen]),
        "cover": torch.from_numpy(np.stack([sighting.cover for _, sighting in seen])).half(),
        "centre": torch.tensor([sighting.centre for _, sighting in seen]),
        "visible": torch.tensor([sighting.visible for _, sighting in seen]),
        "noun": torch.tensor([NOUNS.index(look.noun) for look in told]),
        "shares": torch.from_numpy(np.stack([look.shares for look in told])),
        "aspect": torch.tensor([look.aspect for look in told], dtype=torch.float64),
    }
    save_file(table, path.with_suffix(".partial"), {"content": content})
    path.with_suffix(".partial").replace(path)


def _read(path: Path, content: str) -> tuple[Tensor, list[Shown], tuple[Look, ...]]:
    with safe_open(path, "pt") as file:
        held = (file.metadata() or {}).get("content", "unknown pictures")
    if held != content:
        raise ValueError(f"{path} holds {held}, and this run needs {content}; remove it, or take another --folder")
    table = load_file(path)
    seen: list[list[Sighting]] = [[] for _ in table["host"]]
    cover = table["cover"].float().numpy()
    columns = (table[name].tolist() for name in ("picture", "member", "centre", "visible"))
    for row, (picture, member, centre, visible) in enumerate(zip(*columns, strict=True)):
        seen[picture].append(Sighting(member, cover[row], centre, visible))
    about = zip(seen, table["host"].tolist(), table["measured"].tolist(), strict=True)
    shown = [Shown(index, tuple(some), *rest) for index, (some, *rest) in enumerate(about)]
    told = zip(table["noun"].tolist(), table["shares"].numpy(), table["aspect"].tolist(), strict=True)
    return table["features"], shown, tuple(Look(NOUNS[noun], *rest) for noun, *rest in told)
