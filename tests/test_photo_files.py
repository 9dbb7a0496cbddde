"""One list of what counts as a photo; what other programs leave in folders is passed over."""

from pathlib import Path

import pytest

from ego.media import FORMATS, read_image
from ego.photo_files import folders_below, image_suffixes, is_file, is_image_name, listing, natural_order
from tests.evaluation.trees import image


def test_every_suffix_of_a_format_that_is_read_counts() -> None:
    assert {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".avif", ".tif", ".tiff", ".gif", ".bmp", ".heic", ".jp2"} <= (
        image_suffixes()
    )
    assert "JPEG" in FORMATS
    assert not image_suffixes() & {".txt", ".pdf", ".eps", ".mp4", ".json", ""}


@pytest.mark.parametrize("name", ["a.JPG", "b.Jpeg", "c.TIF", "d.webp"])
def test_a_photo_is_found_and_read_whatever_its_case(tmp_path: Path, name: str) -> None:
    image(tmp_path / name)
    assert listing(tmp_path).images == (tmp_path / name,)
    assert read_image(tmp_path / name).picture.size == (16, 16)


def test_a_folder_is_listed_by_kind_without_litter(tmp_path: Path) -> None:
    for name in ("2.jpg", "10.jpg", "clip.MP4", "notes.txt", "._2.jpg", ".DS_Store", "Thumbs.db", "Icon\r"):
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    found = listing(tmp_path)
    assert [path.name for path in found.images] == ["2.jpg", "10.jpg"]
    assert [path.name for path in found.videos] == ["clip.MP4"]
    assert [path.name for path in found.others] == ["notes.txt"]


def test_folders_of_other_programs_are_passed_over_and_links_not_followed(tmp_path: Path) -> None:
    for name in ("bo/refs", "@eaDir/bo/refs", "#recycle/old/refs", "__MACOSX/bo", ".git/refs", "$RECYCLE.BIN/x"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bo/self").symlink_to(tmp_path)
    walked = {folder.relative_to(tmp_path).as_posix(): names for folder, names in folders_below(tmp_path)}
    assert walked == {".": ("bo",), "bo": ("refs", "self"), "bo/refs": ()}


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["dog_10", "dog_2", "2", "²", "dog_1" + "0" * 5000]
    assert sorted(names, key=natural_order)[:3] == ["2", "dog_2", "dog_10"]


@pytest.mark.parametrize("path", ["no", "a\0b", "x" * 5000])
def test_paths_that_cannot_be_are_no_files(tmp_path: Path, path: str) -> None:
    assert not is_file(tmp_path / path)
    assert not is_image_name(Path(path))
