"""Photos of things -> a library of their memories and the encoded photos that ask for them, for `ego bench filter`.

    python benchmarks/real_concepts.py PHOTOS OUT [--model mini] [--limit N] [--questions 2]
    ego bench filter --library OUT/library --questions OUT/questions.npz

PHOTOS holds `photos.jsonl` (one line a picture: source, file, instance) and one tar of pictures per source. The first
photo of every thing introduces it; of things with three photos and more, the next `--questions` ask for it. OUT gets
`library/` (one memory file each) and `questions.npz` (tokens of every asking photo, and the name of its thing).
"""

import argparse
import hashlib
import json
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np

import ego
import ego.media
from ego.memory_file import SUFFIX, dump


def things(photos: Path) -> dict[str, list[tuple[str, str]]]:
    """Group pictures by the thing they show, in the order of the list."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in (photos / "photos.jsonl").read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        groups[one["instance"]].append((one["source"], one["file"]))
    return groups


class Pictures:
    """Reads pictures out of one tar per source."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._open = folder, {}

    def read(self, source: str, file: str) -> bytes:
        if source not in self._open:
            self._open[source] = tarfile.open(self._folder / f"{source}.tar")  # noqa: SIM115  (open until the end)
        found = self._open[source].extractfile(file)
        assert found is not None
        return found.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--questions", type=int, default=2)
    chosen = parser.parse_args()
    personal = ego.Ego(ego.load_backbone(chosen.model))
    pictures, library = Pictures(chosen.photos), chosen.out / "library"
    library.mkdir(parents=True, exist_ok=True)
    tokens, wanted = [], []
    everything = sorted(things(chosen.photos).items(), key=lambda item: -min(len(item[1]), 3))[: chosen.limit]
    for number, (instance, files) in enumerate(everything):
        name = f"{instance.rsplit('/', 1)[-1][:40]} {number}"
        path = library / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}{SUFFIX}"
        if not path.exists():
            concept = ego.Concept(name, images=[pictures.read(*files[0])], category=files[0][0])
            path.write_bytes(dump(personal.build(concept), "bfloat16"))
        for file in files[1 : 1 + chosen.questions] if len(files) >= 3 else ():
            picture = ego.media.read_image(pictures.read(*file)).picture
            tokens.append(personal.backbone.encode_image(picture).rows.cpu().numpy().astype(np.float16))
            wanted.append(name)
        if number % 200 == 0:
            print(number, "of", len(everything), flush=True)
    np.savez(
        chosen.out / "questions.npz",
        tokens=np.concatenate(tokens),
        lengths=np.array([len(one) for one in tokens]),
        wanted=np.array(wanted),
    )


if __name__ == "__main__":
    main()
