"""What is worth a yes or no: the most doubtful finds first, and nothing that was answered already."""

from pathlib import Path

from ego.album.index import AlbumIndex, Find
from ego.album.picture_file import Kind, PictureFile
from ego.album.review import doubts
from ego.corrections import Correction, Corrections


def index_with(library: Path, finds: dict[str, float], *, kind: Kind = "image") -> AlbumIndex:
    """An index of photos with one concept, at these probabilities."""
    index = AlbumIndex(library)
    paths = {name: library / name for name in finds}
    for path in paths.values():
        path.touch()
    index.sync([PictureFile(str(path), 0, 0, kind) for path in paths.values()], [str(library)])
    index.call({"bo": "Bo"}, "model")
    for name, path in paths.items():
        index.record(str(path), "asked", [Find("bo", finds[name], "yes")])
    return index


def test_nearest_to_even_odds_come_first(tmp_path: Path) -> None:
    index = index_with(tmp_path, {"sure.jpg": 0.9, "no.jpg": 0.1, "a.jpg": 0.7, "b.jpg": 0.45, "c.jpg": 0.25})
    assert [(Path(one.path).name, one.name) for one in doubts(index)] == [
        ("b.jpg", "Bo"),
        ("a.jpg", "Bo"),
        ("c.jpg", "Bo"),
    ]
    assert [Path(one.path).name for one in doubts(index, low=0.4, high=0.5)] == ["b.jpg"]


def test_what_was_answered_or_left_is_in_doubt_no_more(tmp_path: Path) -> None:
    index = index_with(tmp_path, {"a.jpg": 0.6, "b.jpg": 0.5, "c.jpg": 0.4})
    (tmp_path / "a.jpg").unlink()
    told = Correction(concept="bo", picture="p", there=True, margin=0.0, model="other", path=str(tmp_path / "b.jpg"))
    Corrections(tmp_path).add(told)
    assert [Path(one.path).name for one in doubts(index)] == ["c.jpg"]


def test_clips_are_left_out(tmp_path: Path) -> None:
    assert not doubts(index_with(tmp_path, {"a.mp4": 0.5}, kind="video"))
