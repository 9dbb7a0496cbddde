"""Write the tower's origin, EfficientNet-Lite0 with ImageNet's weights, as an encoder for the peers of `ego eval`.

    python write_peers.py --data DATA --to FOLDER
    ego eval manifest exam/photos.json --method ego,r2p,pekit --peers FOLDER/peers.toml

It stands in for DINOv2 and CLIP where these cannot be had; nothing detects and nothing segments, so the whole picture
is the proposal. The threshold is the one of the highest F1 on validation photos.
"""

import argparse
import json
from pathlib import Path

import torch
from architecture import build_tower, tower_features
from baselines import FEATURES_SIDE, compared, encoded
from exam import photo_concepts
from export import image_processor
from matching import pooled
from presets import Shape
from scores import best_threshold
from torch import Tensor

SETTINGS = """# EfficientNet-Lite0 for every encoder of the peers; neither detector nor segmenter.
clip = "{folder}"
dino = "{folder}"
dino_side = {side}
match_threshold = {threshold:.3f}
detector = ""
segmenter = ""
note = "EfficientNet-Lite0 in place of the encoders of the paper, whole pictures in place of detected objects"
"""


def write(data: Path, folder: Path) -> None:
    """Write encoder and settings."""
    tower = build_tower(FEATURES_SIDE)
    tower.save_pretrained(folder)
    shape = Shape(**{**dict.fromkeys(Shape.__dataclass_fields__, 0), "image_side": FEATURES_SIDE})
    (folder / "preprocessor_config.json").write_text(json.dumps(image_processor(shape), indent=2) + "\n")

    @torch.no_grad()
    def see(pixels: Tensor) -> Tensor:
        return tower_features(tower, pixels)

    decisions = compared(encoded(see, photo_concepts(data, "validation"), FEATURES_SIDE), pooled)
    settings = SETTINGS.format(folder=folder.resolve(), side=FEATURES_SIDE, threshold=best_threshold(decisions))
    (folder / "peers.toml").write_text(settings)


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    write(options.data, options.to)


if __name__ == "__main__":
    main()
