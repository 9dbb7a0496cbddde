"""MC-LLaVA: scenes of films with two to four characters; recognition, choice, open and text questions, captions.

Folders: `{two,three,four}_concept/concept/{train,test}/<character>/` and `<...>/multi/<A_B[_C]>/`, with `choice.json`,
`vqa.json`, `qa.json` and (multi) `position.json` beside the test images.

Decisions: the data's own code is trusted where its README swaps qa.json (text only, a list) and vqa.json (visual,
open). Scenes come from the `multi` folders, so the missing `cases.json` is not needed. Query types are the splits:
si_sq, mi_sq (the first two questions of a scene image), mi_mq. All characters of a scene are remembered at once. The
original 100 further negatives are random draws, and not taken. Names count as whole words (A, L and Y are names).

Left out: recognition of a pair or a whole scene in one question ("Can you see A and B?", the original's mi_mq); here
recognition asks about one character at a time, and mi_mq occurs in questions only. The original counts these among its
positives (the last term of 5m + 5m + 5 for a scene of m characters), so published figures are not the same thing.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ego.errors import DatasetError
from ego.evaluation.datasets.entries import LETTERS
from ego.evaluation.datasets.samples import captions, inline_options, with_keys
from ego.evaluation.datasets.tree import folders_in, images_in, read_json, relative, require
from ego.evaluation.manifest import ChoiceSample, Manifest, OpenSample, RecognitionSample, Sample, Subject

HOW_TO_GET = (
    "Download the MC-LLaVA data set (linked from the repository arctanxarc/MC-LLaVA) and give the folder that holds "
    "two_concept/ and its like"
)
SINGLE_QUESTIONS = 2  # the first questions of a scene image are about one character


def load(folder: Path) -> Manifest:
    """Read the data set.

    Raises:
        DatasetError: If it is missing, or a scene names a character without images.
    """
    root = require(folder, HOW_TO_GET)
    parts = [path for path in folders_in(root) if (path / "concept").is_dir()]
    if not parts:
        raise DatasetError(f"no two_concept/concept below {root}. {HOW_TO_GET}")
    subjects = tuple(subject for part in parts for subject in _subjects(part, root))
    keys = {subject.key for subject in subjects}
    scenes = [scene for part in parts for scene in folders_in(part / "multi")]
    samples = tuple(sample for scene in scenes for sample in _scene(scene, root, keys))
    return Manifest(dataset="mc-llava", root=str(root), subjects=subjects, samples=samples)


def _subjects(part: Path, root: Path) -> Iterator[Subject]:
    scene_of = {key: scene.name for scene in folders_in(part / "multi") for key in scene.name.split("_")}
    for folder in folders_in(part / "concept" / "train"):
        references = tuple(relative(image, root) for image in images_in(folder))
        yield Subject(
            key=folder.name,
            name=folder.name,
            references=references,
            category="person",
            group=scene_of.get(folder.name, ""),
        )


def _scene(scene: Path, root: Path, keys: set[str]) -> Iterator[Sample]:
    members = tuple(scene.name.split("_"))
    if unknown := set(members) - keys:
        raise DatasetError(f"scene {scene} names {sorted(unknown)} without concept/train images. {HOW_TO_GET}")
    tests = {member: scene.parent.parent / "concept" / "test" / member for member in members}
    alone = {relative(image, root): (member,) for member in members for image in images_in(tests[member])}
    together = _positions(scene, root, members)
    yield from _recognition(alone, members, "si_sq")
    yield from _recognition(together, members, "mi_sq")
    yield from captions(alone, known=members, split="si")
    yield from captions(together, known=members, split="mi")
    for folder in (*tests.values(), scene):
        yield from _questions(folder, root, members, multi=folder == scene)


def _positions(scene: Path, root: Path, members: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Say who is in each image of a scene; without position.json, everyone."""
    path = scene / "position.json"
    entries = read_json(path) if path.is_file() else {}
    shown = {Path(image).name: tuple(k for k in members if places.get(k)) for image, places in entries.items()}
    return {relative(image, root): shown.get(image.name, members) for image in images_in(scene)}


def _recognition(
    present_in: Mapping[str, tuple[str, ...]], members: tuple[str, ...], split: str
) -> Iterator[RecognitionSample]:
    for image, present in present_in.items():
        for key in members:
            name = f"recognition/{split}/{image}/{key}"
            yield RecognitionSample(
                id=name, pictures=(image,), known=members, asked=key, present=key in present, split=split
            )


def _questions(folder: Path, root: Path, members: tuple[str, ...], *, multi: bool) -> Iterator[Sample]:
    for file in ("choice.json", "vqa.json"):
        for image, entries in _visual(folder / file):
            place = relative(folder / Path(image).name, root)
            for number, entry in enumerate(entries):
                split = _query_type(number, multi=multi)
                yield _visual_question(entry, f"{place}/{number}", place, members, split)
    text = folder / "qa.json"
    for number, entry in enumerate(read_json(text) if text.is_file() else []):
        yield _choice(entry["question"], entry["answer"], f"text/{relative(folder, root)}/{number}", (), members)


def _visual(path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for image, entries in (read_json(path) if path.is_file() else {}).items():
        yield image, entries if isinstance(entries, list) else [entries]


def _query_type(number: int, *, multi: bool) -> str:
    return "si_sq" if not multi else "mi_sq" if number < SINGLE_QUESTIONS else "mi_mq"


def _visual_question(
    entry: dict[str, str], name: str, image: str, members: tuple[str, ...], split: str
) -> ChoiceSample | OpenSample:
    if entry["AI"].strip().rstrip(".") in LETTERS:
        return _choice(entry["Human"], entry["AI"], f"choice/{name}", (image,), members, split)
    question, answer = with_keys(entry["Human"], members), with_keys(entry["AI"], members)
    return OpenSample(
        id=f"open/{name}", pictures=(image,), known=members, question=question, answer=answer, split=split
    )


def _option(text: str, members: tuple[str, ...]) -> str:
    """Mark names; an option that is nothing but a name is one, even of one letter."""
    return f"<{text}>" if text in members else with_keys(text, members)


def _choice(
    text: str, answer: str, name: str, pictures: tuple[str, ...], members: tuple[str, ...], split: str = ""
) -> ChoiceSample:
    question, options = inline_options(text)
    question, options = with_keys(question, members), tuple(_option(option, members) for option in options)
    right = LETTERS.index(answer.strip()[:1])
    return ChoiceSample(
        id=name, pictures=pictures, known=members, question=question, options=options, answer=right, split=split
    )
