"""Does the heat of an answer lie on the thing? Pointing accuracy and overlap with the masks of real photos.

python benchmarks/pointing.py DATA [--model mini] [--warm 0.2 0.3 0.4 0.5] [--layers 3 5]

DATA holds video/videos.json (DAVIS sequences with masks): a concept is introduced from the first frame, with its mask
as region and without, and pointed at in later frames. Rivals: the middle of the picture, and late interaction (the best
cosine of each visual token with the memory's rows), drawn into boxes in the same way.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from ego import Concept, Ego, EgoConfig
from ego.backbones import load_backbone
from ego.backbones.base import Backbone
from ego.evaluation.metrics.bootstrap import Estimate, estimates
from ego.pointing import box_around, overlap, point
from ego.prompt import query_prompt, recognition_question

EVERY = 3  # frames of a sequence are much alike
Tallies = dict[tuple[str, float], list[list[float]]]  # way and warmth -> for each sequence: hits, overlaps, pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--warm", type=float, nargs="+", default=[0.2, 0.3, 0.4, 0.5, 0.6])
    parser.add_argument("--layers", type=int, nargs="+", action="append")
    options = parser.parse_args()
    backbone = load_backbone(options.model)
    tallies: Tallies = defaultdict(list)
    videos = json.loads((options.data / "video/videos.json").read_text())["videos"]
    for video in videos:
        if video.get("masks"):
            examine(options, backbone, video, tallies)
    print(f"{'where':34} {'warm':>5} {'peak on it':>20} {'IoU of boxes':>20}  pictures")
    for (way, warm), tally in sorted(tallies.items()):
        told = estimates(np.array(tally), lambda sums: {"hit": sums[0] / sums[2], "iou": sums[1] / sums[2]})
        count = int(sum(row[2] for row in tally))
        print(f"{way:34} {warm:5.1f} {shown(told['hit']):>20} {shown(told['iou']):>20}  {count}")


def shown(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def examine(options: argparse.Namespace, backbone: Backbone, video: dict[str, Any], tallies: Tallies) -> None:
    personal = Ego(backbone, config=EgoConfig())
    first = Image.open(options.data / video["frames"][0]).convert("RGB")
    personal.introduce(Concept("Bo", [first]))
    memory = personal.memories[0]
    sums: dict[tuple[str, float], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for frame, mask in list(zip(video["frames"], video["masks"], strict=True))[EVERY::EVERY]:
        truth = np.asarray(Image.open(options.data / mask).convert("L")) > 0
        if not truth.any():
            continue
        tokens = backbone.encode_image(Image.open(options.data / frame).convert("RGB"))
        covering = tokens.covering.cpu()
        boxes = tokens.boxes[covering]
        prompt = query_prompt([memory], [tokens], recognition_question("Bo"))
        ways = {"late interaction": late(memory.tokens.rows, tokens.rows)[covering].clamp(min=0)}
        for layers in options.layers or [list(personal.layers)]:
            pointed = point(backbone, prompt, "Bo", layers=tuple(layers))[0]
            ways[f"name's attention, layers {layers}"] = torch.tensor(pointed.heat)
        middle = torch.tensor([0.25, 0.25, 0.75, 0.75])
        add(sums["middle of the picture", 0.0], truth, (0.5, 0.5), middle.tolist())
        for way, heat in ways.items():
            for warm in options.warm:
                peak = boxes[int(heat.argmax())]
                place = ((peak[0] + peak[2]) / 2, (peak[1] + peak[3]) / 2)
                found = box_around(boxes, heat, warm=warm)
                add(sums[way, warm], truth, (float(place[0]), float(place[1])), found)
    for key, values in sums.items():
        tallies[key].append(values)


def add(sums: list[float], truth: np.ndarray, place: tuple[float, float], found: Sequence[float]) -> None:
    for column, value in enumerate((float(at(truth, place)), overlap(found, box_of(truth)), 1.0)):
        sums[column] += value


def late(rows: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    one, other = (functional.normalize(tokens.float(), dim=-1) for tokens in (rows, seen))
    return (other @ one.T).amax(1)


def at(mask: np.ndarray, place: tuple[float, float]) -> np.bool_:
    height, width = mask.shape
    return mask[min(height - 1, int(place[1] * height)), min(width - 1, int(place[0] * width))]


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = mask.shape
    return columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height


if __name__ == "__main__":
    main()
