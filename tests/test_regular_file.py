"""Only regular files are opened, whatever their names look like."""

import os
import time
from pathlib import Path

import pytest

from ego.errors import ImageError
from ego.regular_file import open_regular


def refused(path: object, largest: int = 100) -> str:
    started = time.monotonic()
    with pytest.raises(ImageError) as caught:
        open_regular(path, largest=largest, refuse=ImageError)
    assert time.monotonic() - started < 1
    return str(caught.value)


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"Bo")
    with open_regular(tmp_path / "a", largest=2, refuse=ImageError) as file:
        assert file.read() == b"Bo"


@pytest.mark.skipif(os.name == "nt", reason="such names are no names here")
@pytest.mark.parametrize("name", ["cam1-12:30:05.mp4", "http:", "file:a", "concat:a|b", "-", "%03d.png", "a\nb"])
def test_a_path_is_always_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(b"Bo")
    with open_regular(name, largest=2, refuse=ImageError) as file:
        assert file.read() == b"Bo"


def test_a_folder_named_like_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("http:").mkdir()
    Path("http:/bo.jpg").write_bytes(b"Bo")
    with open_regular("http://bo.jpg", largest=2, refuse=ImageError) as file:
        assert file.read() == b"Bo"


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "long").write_bytes(bytes(101))
    assert "is a folder; give the files in it" in refused(tmp_path)
    assert "is empty (0 bytes)" in refused(tmp_path / "empty")
    assert "has 101 bytes; at most 100 are read" in refused(tmp_path / "long")
    assert refused(tmp_path / "no") == f"there is no file at {tmp_path / 'no'}; check the path"
    assert "is an address, not a file" in refused("https://example.org/bo.jpg")
    assert "cannot be opened" in refused("a\0b")
    assert "cannot be opened" in refused("x" * 5000)


@pytest.mark.parametrize("address", ["http://x/y.jpg", str(Path("http://x/y.jpg")), "HTTPS://x/y.jpg"])
def test_an_address_is_no_file(address: str) -> None:
    with pytest.raises(ImageError, match="is an address, not a file; download it first"):
        open_regular(address, largest=10, refuse=ImageError)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "is not a regular file" in refused(tmp_path / "pipe")
    assert "is not a regular file" in refused("/dev/zero")
    assert "is not a regular file" in refused(tmp_path / "link")
    assert "cannot be opened" in refused(tmp_path / "loop")


def test_a_sparse_file_costs_nothing(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    assert "has 1,099,511,627,776 bytes" in refused(tmp_path / "sparse", 2**36)
