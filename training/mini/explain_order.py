"""Measure what explains the order of the ablation (docs/experiments.md): size of the subject, scale of the layers.

    python explain_order.py --world WORLD.npz --results RESULTS --scenes 80 --calibration CALIBRATION --masks MASKS

`RESULTS` is what `ego eval` made of `composed.json`, `CALIBRATION` what `ego calibrate` observed, `MASKS` what
`write_masks.py` wrote.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from exam import compose
from names import random_names
from sources import read_pack
from subjects import Cast
from write_exam import SEED

from ego.calibration import SHIPPED, LayerSelection, Observation, overlap
from ego.config import EgoConfig
from ego.evaluation.datasets.saved_manifest import load_manifest
from ego.evaluation.manifest import RecognitionSample
from ego.evaluation.records import Lines, Record

METHODS = ("ego", "uniform", "random", "full", "ego-band")
LEAST = 1e-12


def main() -> None:
    """Read the command line and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=120)
    parser.add_argument("--calibration", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    options = parser.parse_args()
    print_by_size(options.world, options.results, options.scenes)
    print_by_scale(options.calibration, options.masks)


def print_by_size(world: Path, results: Path, scenes: int) -> None:
    """Print the area under ROC of every method, by thirds of the concepts' sizes in their references."""
    manifest = load_manifest(results / "manifest.json")
    names = random_names(np.random.default_rng(SEED), len(manifest.subjects))
    known = compose(Cast(read_pack(world), "test"), names, SEED, scenes).known
    area = {one.name: one.area for one in known}
    small, large = np.quantile(list(area.values()), (1 / 3, 2 / 3))
    asked = {sample.id: sample for sample in manifest.samples if isinstance(sample, RecognitionSample)}
    records = [record for record in Lines(results / "records.jsonl", Record) if record.sample in asked]
    print(f"area under ROC; subject covers less than {small:.2f}, less than {large:.2f}, more of its reference")
    for method in METHODS:
        parts: list[list[tuple[bool, float]]] = [[], [], []]
        for record in records:
            if record.method == method and record.views == 1 and record.probability is not None:
                sample = asked[record.sample]
                part = int(area[sample.asked] > small) + int(area[sample.asked] > large)
                parts[part].append((sample.present, record.probability))
        print(f"{method:10}", *(f"{roc(part):.3f}" for part in parts))


def roc(answers: Sequence[tuple[bool, float]]) -> float:
    """Compute the share of pairs in which what is there is more probable than what is not."""
    present, absent = (np.array([p for truth, p in answers if truth is wanted]) for wanted in (True, False))
    return float((present[:, None] > absent).mean() + 0.5 * (present[:, None] == absent).mean())


def print_by_scale(calibration: Path, masks: Path) -> None:
    """Print each layer's attention to the picture, and the overlap of all layers as they are and scaled alike."""
    wanted = {Path(image["file_name"]).stem for image in json.loads((masks / "test.json").read_text())["images"]}
    seen = [_read(path) for path in sorted(calibration.glob("observations/*-heads/*.npz")) if _name(path) in wanted]
    usable = [one for one in seen if one is not None and one.on_object.any()]
    shares = torch.stack([one.importance.mean(1).sum(-1) for one in usable]).mean(0)
    print(f"{len(usable)} photos; attention to the picture by layer:", *(f"{share:.2f}" for share in shares))
    chosen = LayerSelection.model_validate_json(SHIPPED.read_bytes()).layers  # mini has a map in every layer
    for name, layers in (("all layers", range(len(shares))), ("calibrated layers", chosen)):
        for scaled in (False, True):
            measured = [_precision(one, layers, scaled=scaled) for one in usable]
            print(f"{name}{', scaled alike' if scaled else ''}: precision at K {np.mean(measured):.3f}")


def _precision(one: Observation, layers: Sequence[int], *, scaled: bool) -> float:
    rows = one.importance[list(layers)]
    rows = rows / rows.sum(-1, keepdim=True).clamp_min(LEAST) if scaled else rows
    return overlap(one, rows.mean((0, 1)), budget=EgoConfig().budget).precision


def _name(path: Path) -> str:
    return path.stem.rsplit("-", 1)[0]


def _read(path: Path) -> Observation | None:
    with np.load(path) as arrays:
        if "importance" not in arrays:
            return None
        names = ("importance", "on_object", "spatial", "boxes")
        tensors = {name: torch.from_numpy(arrays[name]) for name in names}
        tensors["importance"] = tensors["importance"].float()
        return Observation(image=_name(path), description=str(arrays["description"]), **tensors)


if __name__ == "__main__":
    main()
