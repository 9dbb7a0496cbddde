"""This-is-My (video): 15 instances, 671 three-second segments; the user downloads the clips.

Folder: `segments.csv`, `this-is-my_test-set.json`, clips as `<segment id>.mp4` in `train_segment/` and `eval_segment/`
(the names the data set's own download script gives), optionally `video-qa.json` `{instance: {segment: {question,
options?, correct_answer}}}`, since the questions of the published tables are not public.

Decisions: segments from an anchor's own video introduce the instance, segments from other videos test it. Videos
vanish from their host: missing clips are left out and counted in the notes.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ego.errors import DatasetError
from ego.evaluation.datasets.left_out import LeftOut
from ego.evaluation.datasets.samples import questions
from ego.evaluation.datasets.tree import read_json, require
from ego.evaluation.manifest import ChoiceSample, Manifest, OpenSample, RecognitionSample, Subject
from ego.limits import JSON_BYTES
from ego.text_file import read_text

HOW_TO_GET = (
    "Download segments.csv and this-is-my_test-set.json (the Meta-Personalizing repository), fetch the clips with its "
    "script, and give the folder that holds them with train_segment/ and eval_segment/"
)


@dataclass(frozen=True)
class Instance:
    """One named thing or person and its segments."""

    name: str
    category: str
    train: tuple[str, ...]
    evaluation: tuple[str, ...]


def load(folder: Path) -> Manifest:
    """Read the data set.

    Raises:
        DatasetError: If a list is missing, or no instance has clips of both kinds.
    """
    root = require(folder, HOW_TO_GET)
    instances = _instances(root)
    clips = [clip for instance in instances for clip in (*instance.train, *instance.evaluation)]
    here = {clip for clip in clips if (root / clip).is_file()}
    kept = [instance for instance in instances if here & set(instance.train) and here & set(instance.evaluation)]
    if not kept:
        raise DatasetError(f"no instance has clips in both train_segment/ and eval_segment/ of {root}. {HOW_TO_GET}")
    left_out = LeftOut()
    asked = tuple(_questions(root, kept, here, left_out))
    notes = (f"{len(clips) - len(here)} of {len(clips)} clips are missing; {len(kept)} of {len(instances)} instances",)
    return Manifest(
        dataset="this-is-my-video",
        root=str(root),
        subjects=tuple(_subject(instance, here) for instance in kept),
        samples=(*_recognition(kept, here), *asked),
        notes=(*notes, *left_out.notes),
    )


def _instances(root: Path) -> list[Instance]:
    rows = {row["segment_id"]: row for row in _segments(root)}
    anchors = _read_required(root / "this-is-my_test-set.json")
    homes = {rows[anchor]["video_id"] for anchor in anchors if anchor in rows}
    return [_instance(rows, anchor, segments, homes) for anchor, segments in anchors.items() if anchor in rows]


def _instance(rows: dict[str, dict[str, str]], anchor: str, segments: list[str], homes: set[str]) -> Instance:
    """Split by video: a segment from any anchor's video never tests."""
    known = [segment for segment in (anchor, *segments) if segment in rows]
    own = rows[anchor]["video_id"]
    train = tuple(f"train_segment/{s}.mp4" for s in known if rows[s]["video_id"] == own)
    evaluation = tuple(f"eval_segment/{s}.mp4" for s in known if rows[s]["video_id"] not in homes)
    return Instance(rows[anchor]["instance_name"], rows[anchor].get("query", ""), train, evaluation)


def _segments(root: Path) -> list[dict[str, str]]:
    path = root / "segments.csv"
    if not path.is_file():
        raise DatasetError(f"no {path}. {HOW_TO_GET}")
    return list(csv.DictReader(io.StringIO(read_text(path, DatasetError, largest=JSON_BYTES))))


def _read_required(path: Path) -> dict[str, list[str]]:
    if not path.is_file():
        raise DatasetError(f"no {path}. {HOW_TO_GET}")
    return dict(read_json(path))


def _subject(instance: Instance, here: set[str]) -> Subject:
    references = tuple(clip for clip in instance.train if clip in here)
    category = instance.category
    return Subject(key=instance.name, name=instance.name, references=references, category=category, group=category)


def _recognition(instances: list[Instance], here: set[str]) -> Iterator[RecognitionSample]:
    for shown in instances:
        for clip in (clip for clip in shown.evaluation if clip in here):
            for asked in instances:
                yield RecognitionSample(
                    id=f"recognition/{clip}/{asked.name}",
                    video=clip,
                    known=(asked.name,),
                    asked=asked.name,
                    present=asked is shown,
                )


def _questions(
    root: Path, instances: list[Instance], here: set[str], left_out: LeftOut
) -> Iterator[ChoiceSample | OpenSample]:
    path, everyone = root / "video-qa.json", tuple(instance.name for instance in instances)
    for name, entries in (read_json(path) if path.is_file() else {}).items():
        for segment, entry in entries.items():
            clip = f"eval_segment/{Path(segment).stem}.mp4"
            if clip in here and name in everyone:
                asked = questions(entry, f"{name}/{segment}", name, pictures=(), known=everyone, left_out=left_out)
                for sample in asked:
                    yield sample.model_copy(update={"video": clip})
