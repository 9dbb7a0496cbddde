"""Small albums, libraries and indices for tests of scans."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from ego import Concept, ConceptStore, Ego
from ego.album.index import AlbumIndex, Find
from ego.backbones import load_backbone
from ego.demo.pictures import shipped_pictures

PICTURES = shipped_pictures().folder


class Counting(AlbumIndex):
    """An index that notes the order in which pictures are written."""

    def __init__(self, library: Path) -> None:
        super().__init__(library)
        self.written: list[str] = []

    def record(self, path: str, asked: str, finds: Iterable[Find], *, taken: str = "", problem: str = "") -> None:
        self.written.append(path)
        super().record(path, asked, finds, taken=taken, problem=problem)


def known(folder: Path) -> Ego:
    """A library that knows Bo and a bag."""
    personal = Ego(load_backbone("mini"), ConceptStore(folder / "library"))
    personal.introduce(Concept("Bo", [PICTURES / "bo-1.jpg"]))
    personal.introduce(Concept("Zoe's bag", [PICTURES / "zoes-bag-1.jpg"]))
    return personal


def album(folder: Path) -> Path:
    """Six scenes, a clip, and a file that is no picture."""
    place = folder / "album"
    place.mkdir()
    for number in range(1, 7):
        shutil.copy(PICTURES / f"scene-0{number}.jpg", place)
    shutil.copy(PICTURES / "clip-01.mp4", place)
    (place / "broken.jpg").write_bytes(b"\xff\xd8\xff not much")
    return place


def content(index: AlbumIndex) -> list[tuple[object, ...]]:
    """Everything in the index but the bookkeeping of SQLite; of a problem, that there is one."""
    return [
        (entry.path, entry.kind, entry.taken, bool(entry.problem), tuple(sorted(entry.finds.items())))
        for entry in index.entries()
    ]


def assert_alike(one: AlbumIndex, other: AlbumIndex) -> None:
    """Two indices hold the same finds, up to the rounding of another process."""
    for here, there in zip(one.entries(), other.entries(), strict=True):
        assert (here.path, here.kind, here.taken, bool(here.problem)) == (
            *(there.path, there.kind, there.taken),
            bool(there.problem),
        )
        assert here.finds.keys() == there.finds.keys()
        for concept, find in here.finds.items():
            assert find.probability == pytest.approx(there.finds[concept].probability, abs=1e-4)
            assert (find.box is None, find.moments) == (there.finds[concept].box is None, there.finds[concept].moments)
