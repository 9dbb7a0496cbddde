"""Miniature trees in the exact layouts of the data sets, written by the tests."""

import json
from pathlib import Path

from PIL import Image


def image(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), colour).save(path)
    return path


def images(folder: Path, *names: str) -> None:
    for name in names:
        image(folder / name)


def put_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
