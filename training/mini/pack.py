"""Pack the training world into one file: `python pack.py DATA_FOLDER WORLD.npz`."""

import sys
from collections import Counter
from pathlib import Path

from sources import read_training_world, write_pack


def main() -> None:
    """Read the data folder, write the pack and say what is in it."""
    data, target = Path(sys.argv[1]), Path(sys.argv[2])
    assets = read_training_world(data)
    write_pack(assets, target)
    for (kind, part), number in sorted(Counter((asset.kind, asset.part) for asset in assets).items()):
        print(f"{kind:10} {part:5} {number:5}")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
