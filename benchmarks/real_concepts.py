"""Photos of things -> a library of their memories and the photos that ask for them.

    python benchmarks/real_concepts.py PHOTOS OUT [--model mini] [--limit N] [--questions 2] [--unseen]
    python benchmarks/filtered_answers.py OUT
    ego bench filter --library OUT/library --questions OUT/questions.npz

PHOTOS holds `photos.jsonl` (one line a picture: source, file, instance) and one tar of pictures per source. The first
photo of every thing introduces it; of things with three photos and more, the next `--questions` ask for it. Things that
are asked for enter the library first, then others in random order. OUT gets `library/` (one memory file each),
`questions/` (the asking photos, and `questions.jsonl`: file, name and source of its thing) and `questions.npz` (their
tokens). With `--unseen`, only things that the embedded model was not trained on are asked for.
"""

import argparse
import hashlib
import json
import sys
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np

import ego
import ego.media
from ego.backbones.loading import hide_progress
from ego.memory_file import dump
from ego.memory_listing import SUFFIX

sys.path.append(str(Path(__file__).resolve().parents[1] / "training" / "mini"))
from splits import instance_part

AT_ONCE = 8  # things
ENOUGH = 3  # photos of a thing that is asked for


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


class Questions:
    """Photos that ask, as files and as tokens."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lines, self._tokens = folder, [], []
        (folder / "questions").mkdir(parents=True, exist_ok=True)

    def add(self, photo: bytes, tokens: np.ndarray, name: str, source: str) -> None:
        file = f"{len(self._lines):05}.webp"
        (self._folder / "questions" / file).write_bytes(photo)
        self._lines.append({"file": file, "name": name, "source": source})
        self._tokens.append(tokens.astype(np.float16))

    def save(self) -> None:
        text = "".join(f"{json.dumps(line)}\n" for line in self._lines)
        (self._folder / "questions" / "questions.jsonl").write_text(text, encoding="utf-8")
        np.savez(
            self._folder / "questions.npz",
            tokens=np.concatenate(self._tokens),
            lengths=np.array([len(one) for one in self._tokens]),
            wanted=np.array([line["name"] for line in self._lines]),
        )


def introduce(personal: ego.Ego, library: Path, pictures: Pictures, photos: dict[str, tuple[str, str]]) -> None:
    """Write the memories that are not there yet; each thing has one photo."""
    paths = {name: library / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}{SUFFIX}" for name in photos}
    new = [name for name, path in paths.items() if not path.exists()]
    concepts = [ego.Concept(name, images=[pictures.read(*photos[name])], category=photos[name][0]) for name in new]
    for memory in personal.build_many(concepts):
        paths[memory.name].write_bytes(dump(memory, "bfloat16"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--limit", type=int, default=None)
    parser.add_argument("--questions", type=int, default=2)
    parser.add_argument("--unseen", action="store_true")
    chosen = parser.parse_args()
    hide_progress()
    personal = ego.Ego(ego.load_backbone(chosen.model))
    pictures, library = Pictures(chosen.photos), chosen.out / "library"
    library.mkdir(parents=True, exist_ok=True)
    questions = Questions(chosen.out)

    def asked(thing: str, files: list[tuple[str, str]]) -> bool:
        return len(files) >= ENOUGH and not (chosen.unseen and instance_part(thing) == "train")

    mixed = sorted(things(chosen.photos).items(), key=lambda item: hashlib.sha256(item[0].encode()).hexdigest()[::-1])
    chosen_things = sorted(mixed, key=lambda item: not asked(*item))[: chosen.limit]
    for first in range(0, len(chosen_things), AT_ONCE):
        some = [
            (f"{thing.rsplit('/', 1)[-1][:40]} {number}", thing, files)
            for number, (thing, files) in enumerate(chosen_things[first : first + AT_ONCE], start=first)
        ]
        introduce(personal, library, pictures, {name: files[0] for name, _, files in some})
        asking_of = {name: files[1 : 1 + chosen.questions] for name, thing, files in some if asked(thing, files)}
        asking = [(name, file) for name, files in asking_of.items() for file in files]
        photos = [pictures.read(*file) for _, file in asking]
        encoded = personal.backbone.encode_together([ego.media.read_image(photo).picture for photo in photos])
        for (name, file), photo, tokens in zip(asking, photos, encoded, strict=True):
            questions.add(photo, tokens.rows.cpu().numpy(), name, file[0])
        if first % 200 == 0:
            print(first, "of", len(chosen_things), flush=True)
    questions.save()


if __name__ == "__main__":
    main()
