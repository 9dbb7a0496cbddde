"""An album of thousands of real photos: scanned, killed and resumed, searched, and corrected by a simulated review.

    python benchmarks/album.py DATA FOLDER [--photos 3000] [--concepts 20] [--corrections 20]

DATA holds `concepts/concepts.json` (things with reference and test photos) and `photos/` (tars of other photos, see
real_concepts.py). The things are those that took no part in the training of the embedded model and in no choice about
it; the album is made of their test photos and of photos that show none of them. FOLDER gets the album, its truth, the
libraries and `figures.json`; parts that are there already are not made again.

It tells: photos per second beside a loop over `ego recognize`; whether a scan that was killed twice and resumed leaves
the index of an unbroken one; precision and recall of `ego find` against the truth before and after a review, in which a
user who knows the truth answers the most doubtful find, again and again.
"""

import argparse
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from real_concepts import Pictures

from ego import Concept, ConceptStore, Ego
from ego.album.find import Question, find
from ego.album.index import AlbumIndex
from ego.album.review import doubts
from ego.backbones import load_backbone
from ego.evaluation.metrics.bootstrap import estimates

sys.path.append(str(Path(__file__).resolve().parents[1] / "training" / "mini"))
from splits import DREAMBOOTH_TRAIN, MYVLM_VALIDATION, instance_part

EGO = [sys.executable, "-c", "from ego.cli import main; main()"]
REFERENCES = 3
RENDERED = frozenset({"ycb_renders"})
Truth = dict[str, list[str]]  # photo -> names of what is in it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=3000)
    parser.add_argument("--concepts", type=int, default=20)
    parser.add_argument("--corrections", type=int, default=20)
    parser.add_argument("--alone", type=int, default=10, help="photos of the loop over `ego recognize`")
    parser.add_argument("--model", default="mini")
    options = parser.parse_args()
    things = chosen_things(options.data, options.concepts)
    truth = made_once(options.folder / "truth.json", lambda: make_album(options, things))
    introduce(options, things)
    figures = {"photos": len(truth), "concepts": len(things), "shown": sum(map(len, truth.values()))}
    figures |= scanned(options)
    figures |= reviewed(options, truth)
    (options.folder / "figures.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures, indent=1))


def made_once(path: Path, make: Callable[[], Any]) -> Any:
    if not path.exists():
        path.write_text(json.dumps(make()))
    return json.loads(path.read_text())


def chosen_things(data: Path, count: int) -> list[dict[str, Any]]:
    """Things of which no photo taught the model or chose between its versions."""
    known = json.loads((data / "concepts/concepts.json").read_text())["concepts"]
    things = [
        thing
        for thing in known
        if (thing["dataset"] == "dreambooth" and thing["name"] not in DREAMBOOTH_TRAIN)
        or (thing["dataset"] == "myvlm" and thing["name"] not in MYVLM_VALIDATION)
    ]
    return sorted(things, key=lambda thing: (-len(thing["tests"]), thing["id"]))[:count]


def make_album(options: argparse.Namespace, things: list[dict[str, Any]]) -> Truth:
    """Copy test photos of the things, and as many others as are missing; photos that taught the model come last."""
    album = options.folder / "album"
    truth: Truth = {}
    for thing in things:
        for file in thing["tests"]:
            truth.setdefault(put(album, file, (options.data / file).read_bytes()), []).append(thing["name"])
    note_company(options.data, things, truth)
    pictures = Pictures(options.data / "photos")
    for source, file in others(options.data / "photos")[: options.photos - len(truth)]:
        truth[put(album, f"{source}/{file}", pictures.read(source, file))] = []
    return truth


def put(album: Path, file: str, content: bytes) -> str:
    target = album / file.replace("/", "_")
    album.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target.name


def note_company(data: Path, things: list[dict[str, Any]], truth: Truth) -> None:
    """Add what else is known to be in a photo of a thing."""
    names = {thing["id"]: thing["name"] for thing in things}
    for one in json.loads((data / "concepts/concepts.json").read_text())["natural_multi_concept_images"]:
        photo = one["image"].replace("/", "_")
        if photo in truth:
            truth[photo] = sorted({*truth[photo], *(names[thing] for thing in one["concepts"] if thing in names)})


def others(photos: Path) -> list[tuple[str, str]]:
    """Photos of other things (no renderings) in an order of their own: first those that only tuned the model."""
    lines = [json.loads(line) for line in (photos / "photos.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line["source"] not in RENDERED]
    random.Random(0).shuffle(lines)
    lines.sort(key=lambda line: instance_part(line["instance"]) == "train")
    return [(line["source"], line["file"]) for line in lines]


def introduce(options: argparse.Namespace, things: list[dict[str, Any]]) -> None:
    library = options.folder / "library"
    personal = Ego(load_backbone(options.model), ConceptStore(library))
    for thing in things:
        if thing["name"] not in personal.store.names():
            references = [options.data / file for file in thing["refs"][:REFERENCES]]
            personal.introduce(Concept(thing["name"], references))


def scanned(options: argparse.Namespace) -> dict[str, Any]:
    """Scan without a break and, beside it, with two kills; then photo by photo with `ego recognize`."""
    folder, album = options.folder, options.folder / "album"
    scan = [*EGO, "scan", str(album), "--json", "--model", options.model, "--library"]
    whole, broken = (fresh(folder, name) for name in ("whole", "broken"))
    total = len(list(album.iterdir()))
    with subprocess.Popen([*scan, str(whole)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as unbroken:
        written = [killed([*scan, str(broken)], broken, share * total) for share in (1 / 3, 2 / 3)]
        last = json.loads(subprocess.run([*scan, str(broken)], check=True, capture_output=True).stdout)
        summary = json.loads(unbroken.communicate()[0])
    alone = [str(path) for path in sorted(album.iterdir())[:: max(1, total // options.alone)]][: options.alone]
    began = time.perf_counter()
    for photo in alone:
        command = [*EGO, "recognize", photo, "--json", "--model", options.model, "--library", str(whole)]
        subprocess.run(command, check=True, capture_output=True)
    one, other = contents(whole), contents(broken)
    return {
        "photos_per_second": summary["looked"] / summary["seconds"],
        "recognize_per_second": len(alone) / (time.perf_counter() - began),
        "left_out": len(summary["problems"]),
        "killed_at": written,
        "resumed": {"looked": last["looked"], "unchanged": last["unchanged"]},
        "same_index": one == other,
        "largest_difference": largest_difference(one, other),
    }


def fresh(folder: Path, name: str) -> Path:
    """Copy the library to a place without an index."""
    shutil.rmtree(folder / name, ignore_errors=True)
    return shutil.copytree(folder / "library", folder / name)


def killed(command: list[str], library: Path, at: float) -> int:
    """Kill a scan once so many photos are written; gives how many were."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and count(library) < at:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        raise SystemExit("the scan was done before it was killed; give more photos")
    return count(library)


def count(library: Path) -> int:
    try:
        with sqlite3.connect(f"file:{library / 'album.sqlite'}?mode=ro", uri=True) as base:
            return int(base.execute("select count(*) from pictures where asked != ''").fetchone()[0])
    except sqlite3.Error:  # not made yet
        return 0


def contents(library: Path) -> list[Any]:
    """Give all that an index holds."""
    return [asdict(entry) for entry in AlbumIndex(library).entries()]


def largest_difference(one: list[Any], other: list[Any]) -> float | None:
    """Give the largest difference of a probability; None if the two do not hold the same finds."""
    if [(a["path"], a["finds"].keys()) for a in one] != [(b["path"], b["finds"].keys()) for b in other]:
        return None
    both = [(a["finds"][name], b["finds"][name]) for a, b in zip(one, other, strict=True) for name in a["finds"]]
    return max((abs(a["probability"] - b["probability"]) for a, b in both), default=0.0)


def reviewed(options: argparse.Namespace, truth: Truth) -> dict[str, Any]:
    """Judge the album, answer the most doubtful finds by the truth, judge it again."""
    library = options.folder / "reviewed"
    shutil.rmtree(library, ignore_errors=True)
    shutil.copytree(options.folder / "whole", library)
    index, personal = AlbumIndex(library), Ego(load_backbone(options.model), ConceptStore(library))
    before, told = find_all(index), {}
    while len(told) < options.corrections and (queue := doubts(index)):  # what was answered is in doubt no more
        photo = Path(queue[0].path).name
        there = queue[0].name in truth[photo]
        personal.correct(queue[0].name, queue[0].path, there=there)
        told[photo, queue[0].name] = there
    after = find_all(index)
    return {
        "corrections": {"yes": sum(told.values()), "no": len(told) - sum(told.values())},
        "before": score(before, truth, set()),
        "after": score(after, truth, set()),
        "before, all other pairs": score(before, truth, set(told)),
        "after, all other pairs": score(after, truth, set(told)),
    }


def find_all(index: AlbumIndex) -> dict[str, set[str]]:
    return {Path(match.path).name: {one.name for one in match.seen} for match in find(index, Question())}


def score(found: dict[str, set[str]], truth: Truth, without: set[tuple[str, str]]) -> dict[str, Any]:
    """Precision, recall and F1 over pairs of photo and thing, with intervals over photos."""
    rows = []
    for photo, names in truth.items():
        seen = {name for name in found.get(photo, set()) if (photo, name) not in without}
        there = {name for name in names if (photo, name) not in without}
        rows.append((len(seen & there), len(seen - there), len(there - seen)))
    told = estimates(np.array(rows, float), rates)
    return {name: [round(value, 3) for value in (one.value, one.low, one.high)] for name, one in told.items()}


def rates(sums: np.ndarray) -> dict[str, float]:
    right, wrong, missed = sums
    precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
    return {"precision": precision, "recall": recall, "f1": 2 * right / max(2 * right + wrong + missed, 1)}


if __name__ == "__main__":
    main()
