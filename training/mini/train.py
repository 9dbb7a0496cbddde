"""Make the embedded model: from the data folder to a folder that `ego` loads. Started again, it goes on.

    python train.py --data DATA --folder RUN --to MODEL_FOLDER [--preset cpu.toml] [--processes 2] [--device cuda]

Every stage is a command of its own (README.md); a finished one is not repeated. RUN/train.log says where it stands.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
EGO = "from ego.cli import main; main()"


def main() -> None:
    """Read the command line and run the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--preset", type=Path, default=HERE / "cpu.toml")
    parser.add_argument("--processes", type=int, default=2, help="processes that train one model together")
    parser.add_argument("--device", default="cpu")
    make(parser.parse_args())


def make(options: argparse.Namespace) -> None:
    """Run every stage that is not finished."""
    options.folder.mkdir(parents=True, exist_ok=True)
    world, masks = options.folder / "world.npz", options.folder / "masks"
    data, known = ("--data", options.data), ("--world", world)
    run = ("--preset", options.preset, "--folder", options.folder)
    crew = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", options.processes]
    alone = options.device != "cpu" or options.processes == 1
    trainer = [sys.executable] if alone else crew
    if not world.exists():
        _run(sys.executable, HERE / "pack.py", options.data, world)
    _run(*trainer, HERE / "tower.py", *run, *known, "--device", options.device)
    if not (options.folder / "settled.pt").exists():
        _run(sys.executable, HERE / "settle.py", *run, *known, *data)
    _run(*trainer, HERE / "language.py", *run, *known, "--device", options.device)
    _run(sys.executable, HERE / "export.py", *run, "--to", options.to)
    _run(sys.executable, HERE / "write_masks.py", *data, "--to", masks)
    chosen, tested = masks / "choose.json", masks / "test.json"
    pictures = ("--images", options.data / "coco_seg/images", "--annotations", chosen, "--test-annotations", tested)
    layers = ("--save-to", options.to / "layers.json", "--out", options.folder / "calibration")
    _run(sys.executable, "-c", EGO, "calibrate", "--model", options.to, *pictures, *layers)
    _run(sys.executable, HERE / "correct.py", *known, *data, "--model", options.to)


def _run(*command: object) -> None:
    words = [str(word) for word in command]
    print(">", *words, flush=True)
    subprocess.run(words, check=True)


if __name__ == "__main__":
    main()
