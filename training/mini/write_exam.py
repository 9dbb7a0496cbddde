"""Write what the model is examined on as manifests, for `ego eval manifest EXAM/composed.json` or `EXAM/photos.json`.

    python write_exam.py --world WORLD.npz --to EXAM [--data DATA_FOLDER]

Composed: subjects of the test part only. Each concept has VIEWS references; recognition asks about every concept that
is clearly there and about as many that are not, half of them look-alikes, once with the asked concept alone in memory
and once with four (split "four"); captions and questions are asked with those four. Photos (where they are): concepts
that did not teach; recognition asks about every concept of a set on every test photo of the set.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from exam import GRID, PHOTO_SETS, SIDE, Composed, Scene, compose, photo_concepts, plan_exam
from names import random_names
from PIL import Image
from sources import read_pack
from subjects import Cast
from world import main_layout, render

from ego.evaluation.datasets.samples import every_image_against_every_concept
from ego.evaluation.manifest import CaptionSample, ChoiceSample, Manifest, RecognitionSample, Sample, Subject

SEED = 202
VIEWS = 5
REMEMBERED = 4
HARD = 0.5


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--concepts", type=int, default=60)
    parser.add_argument("--scenes", type=int, default=120)
    parser.add_argument("--data", type=Path, help="folder with the photos")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    if options.data:
        _save(_photos(options.data.resolve()), options.to / "photos.json")
    cast = Cast(read_pack(options.world), "test")
    names = random_names(np.random.default_rng(SEED), options.concepts)
    composed = compose(cast, names, SEED, options.scenes)
    (options.to / "refs").mkdir(exist_ok=True)
    (options.to / "scenes").mkdir(exist_ok=True)
    manifest = Manifest(
        dataset="composed scenes",
        root=str(options.to),
        subjects=tuple(_subjects(cast, composed, options.to)),
        samples=tuple(_samples(composed, options.to)),
    )
    _save(manifest, options.to / "composed.json")


def _save(manifest: Manifest, path: Path) -> None:
    manifest.save(path)
    print(f"{len(manifest.subjects)} concepts and {len(manifest.samples)} questions in {path}")


def _photos(data: Path) -> Manifest:
    subjects: list[Subject] = []
    samples: list[Sample] = []
    for part in PHOTO_SETS["test"]:
        concepts = photo_concepts(data, part)
        keys = [f"{part}/{concept.name}" for concept in concepts]
        for key, concept in zip(keys, concepts, strict=True):
            references = tuple(str(path.relative_to(data)) for path in concept.references)
            name = concept.name.replace("_", " ")
            subjects.append(Subject(key=key, name=name, references=references, group=concept.group))
        shown = {str(path.relative_to(data)): (f"{part}/{c.name}",) for c in concepts for path in c.tests}
        samples += every_image_against_every_concept(shown, keys, split=part)
    return Manifest(dataset="photos", root=str(data), subjects=tuple(subjects), samples=tuple(samples))


def _subjects(cast: Cast, composed: Composed, folder: Path) -> Iterator[Subject]:
    plan = plan_exam(cast, SEED, len(composed.known))
    for known in composed.known:
        pictures = [known.reference]
        for view in range(1, VIEWS):
            rng = np.random.default_rng([SEED, 3, known.member, view])
            drawn = render(rng, cast, [plan.subjects[known.member]], main_layout(rng, 1), side=SIDE, grid=GRID)
            pictures.append(Image.fromarray(drawn.pixels))
        files = [f"refs/{known.member}-{view}.png" for view in range(VIEWS)]
        for picture, file in zip(pictures, files, strict=True):
            picture.save(folder / file)
        group = str(composed.groups[known.member])
        noun = known.look.noun
        yield Subject(key=known.name, name=known.name, references=tuple(files), category=noun, group=group)


def _samples(composed: Composed, folder: Path) -> Iterator[Sample]:
    rng = np.random.default_rng(SEED)
    for number, scene in enumerate(composed.scenes):
        file = f"scenes/{number}.png"
        scene.picture.save(folder / file)
        present = [int(member) for member in scene.items]
        absent = _absent(composed, scene, len(present) or 1, rng)
        yield from _recognition(composed, file, present, [*present, *absent])
        four = [*present[: REMEMBERED - 1], *_absent(composed, scene, REMEMBERED, rng)][:REMEMBERED]
        known = tuple(composed.known[member].name for member in rng.permutation(four).tolist())
        shown = tuple(composed.known[member].name for member in four if member in scene.items)
        for name in known:
            yield RecognitionSample(
                id=f"four/{file}/{name}", pictures=(file,), known=known, asked=name, present=name in shown, split="four"
            )
        yield CaptionSample(id=f"caption/{file}", pictures=(file,), known=known, present=shown)
        yield from _questions(composed, scene, file, known)


def _recognition(composed: Composed, file: str, present: list[int], asked: list[int]) -> Iterator[RecognitionSample]:
    for member in asked:
        name = composed.known[member].name
        yield RecognitionSample(
            id=f"one/{file}/{name}",
            pictures=(file,),
            known=(name,),
            asked=name,
            present=member in present,
            split="one",
        )


def _absent(composed: Composed, scene: Scene, number: int, rng: np.random.Generator) -> list[int]:
    """Choose concepts that are not in a scene, look-alikes of what is there for about half of them."""
    twins = [twin for member in scene.there for twin in composed.twins(member) if twin not in scene.there]
    others = [known.member for known in composed.known if known.member not in scene.there]
    chosen: list[int] = []
    while len(chosen) < number:
        left = [twin for twin in twins if twin not in chosen]
        pool = left if left and rng.random() < HARD else [other for other in others if other not in chosen]
        chosen.append(int(rng.choice(pool)))
    return chosen


def _questions(composed: Composed, scene: Scene, file: str, known: tuple[str, ...]) -> Iterator[ChoiceSample]:
    """Ask on which side a concept stands, where that is beyond doubt."""
    by_name = {one.name: one.member for one in composed.known}
    for name in known:
        item = scene.items.get(by_name[name])
        if item and item.is_clearly_placed and item.side != "middle":
            yield ChoiceSample(
                id=f"side/{file}/{name}",
                pictures=(file,),
                known=known,
                question=f"Which side is <{name}> on?",
                options=("left", "right"),
                answer=int(item.side == "right"),
                split="side",
            )


if __name__ == "__main__":
    main()
