"""The story of `ego demo`: introduce the concepts, recognize them in every scene, ask, caption, draw what was kept."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from ego.answer import mentions
from ego.atomic_file import make_folder, write_file
from ego.concept import Concept
from ego.demo.contact_sheet import contact_sheet
from ego.demo.outcome import Asked, Captioned, Outcome, Seen, Watched, spoken
from ego.demo.pictures import DemoPictures, DemoScene
from ego.explain import heatmap
from ego.media import read_image
from ego.memory import ConceptMemory
from ego.personalizer import Ego

Tell = Callable[[str], None]
ACTS = ("introduce", "look inside", "recognize", "watch", "ask", "caption")


@dataclass(frozen=True)
class _Stage:
    """What every act needs."""

    personal: Ego
    pictures: DemoPictures
    tell: Tell
    folder: Path

    def path(self, file: str) -> Path:
        return self.pictures.folder / file

    def begin(self, act: str, told: str) -> None:
        """Announce an act with its number; acts for which there is nothing are left out and not counted."""
        pictures = self.pictures
        there = {"watch": bool(pictures.clips), "ask": any(scene.questions for scene in pictures.scenes)}
        acts = [one for one in ACTS if there.get(one, True)]
        if act in acts:
            self.tell(f"Step {acts.index(act) + 1}: {act}. {told}")


def perform(personal: Ego, pictures: DemoPictures, folder: Path, tell: Tell) -> Outcome:
    """Play the whole demonstration and write its pictures.

    Args:
        personal: With an empty store; the concepts are added to it.
        pictures: What to introduce and to look at.
        folder: Where heat-maps and the contact sheet go; made if missing.
        tell: Called with one line per step.
    """
    stage = _Stage(personal, pictures, tell, folder)
    make_folder(folder)
    memories = _introduce_all(stage)
    _draw_heatmaps(stage, memories)
    outcome = Outcome(
        seen=_recognize_all(stage),
        watched=_watch_all(stage),
        asked=_ask_all(stage),
        captioned=_caption_all(stage),
    )
    sheet = contact_sheet(pictures, outcome, {memory.name: memory for memory in memories})
    _save(sheet, folder / "contact-sheet.png")
    tell(f"Wrote {folder / 'contact-sheet.png'}: every scene with what was found in it.")
    return outcome


def _introduce_all(stage: _Stage) -> list[ConceptMemory]:
    stage.begin("introduce", "One pass over each photo; the tokens its description attends to are kept.")
    memories = []
    for concept in stage.pictures.concepts:
        images = [stage.path(file) for file in concept.references]
        memory = stage.personal.introduce(Concept(concept.name, images, category=concept.category))
        memories.append(memory)
        kept, candidates = len(memory.tokens), sum(view.candidates for view in memory.views)
        seconds = sum(view.seconds for view in memory.views)
        stage.tell(f"  {memory.name}: {kept} of {candidates} visual tokens kept in {seconds:.1f} s.")
        stage.tell(f"    the model's own words: {memory.views[0].description}")
    return memories


def _draw_heatmaps(stage: _Stage, memories: list[ConceptMemory]) -> None:
    stage.begin("look inside", "The brighter, the more the description's words looked at it; white boxes are kept.")
    for number, (memory, concept) in enumerate(zip(memories, stage.pictures.concepts, strict=True), start=1):
        if not memory.views[0].boxes:
            stage.tell(f"  {memory.name}: this model's token geometry is unknown, so there is no heat-map.")
            continue
        path = stage.folder / f"heatmap-{number}.png"
        _save(heatmap(memory, read_image(stage.path(concept.references[0])).picture), path)
        stage.tell(f"  {memory.name}: {path}")


def _recognize_all(stage: _Stage) -> tuple[Seen, ...]:
    stage.begin("recognize", "All concepts are asked about in one batched pass per scene.")
    seen: list[Seen] = []
    for scene in stage.pictures.scenes:
        found = _recognize(stage, scene)
        names = ", ".join(f"{one.concept} ({one.probability:.2f})" for one in found if one.found) or "none"
        stage.tell(f"  {Path(scene.file).name}: {scene.note} -> {names}{_verdict(found)}")
        seen.extend(found)
    return tuple(seen)


def _recognize(stage: _Stage, scene: DemoScene) -> list[Seen]:
    found = stage.personal.recognize(stage.path(scene.file)).values()
    return [
        Seen(scene.file, one.name, expected, one.present, one.probability, likely=not (expected or scene.complete))
        for one in found
        for expected in [_expected(scene, one.name)]
    ]


def _expected(scene: DemoScene, name: str) -> bool | None:
    return None if scene.present is None else name in scene.present


def _watch_all(stage: _Stage) -> tuple[Watched, ...]:
    stage.begin("watch", "A clip is looked at frame by frame; the answer says at which seconds.")
    watched: list[Watched] = []
    for clip in stage.pictures.clips:
        found = [
            Watched(clip.file, one.name, clip.present.get(one.name), one.present, one.probability, one.seen_at)
            for one in stage.personal.recognize(stage.path(clip.file)).values()
        ]
        names = ", ".join(
            f"{one.concept} ({one.probability:.2f}) at {spoken(one.seen_at)}" for one in found if one.found
        )
        wrong = [one.concept for one in found if not one.right]
        verdict = f" (wrong about {', '.join(wrong)})" if wrong else " (right)"
        stage.tell(f"  {Path(clip.file).name}: {clip.note} -> {names or 'none'}{verdict}")
        watched.extend(found)
    return tuple(watched)


def _ask_all(stage: _Stage) -> tuple[Asked, ...]:
    pairs = [(scene, question) for scene in stage.pictures.scenes for question in scene.questions]
    stage.begin("ask", "Questions may use the names.")
    asked = []
    for scene, question in pairs:
        text = stage.personal.ask(question.question, stage.path(scene.file)).text
        right = mentions(text, question.answer)
        asked.append(Asked(scene.file, question.question, question.answer, text, right))
        mark = "right" if right else f"wrong, should be {question.answer}"
        stage.tell(f"  {Path(scene.file).name}: {question.question} -> {text} ({mark})")
    return tuple(asked)


def _caption_all(stage: _Stage) -> tuple[Captioned, ...]:
    stage.begin("caption", "Names appear where the concepts do.")
    captioned = []
    for scene in stage.pictures.scenes:
        answer = stage.personal.caption(stage.path(scene.file))
        captioned.append(Captioned(scene.file, answer.text, scene.present, answer.mentioned, scene.complete))
        stage.tell(f"  {Path(scene.file).name}: {answer.text}")
    return tuple(captioned)


def _save(picture: Image.Image, path: Path) -> None:
    drawn = BytesIO()
    picture.save(drawn, "PNG")
    write_file(path, drawn.getvalue())


def _verdict(found: list[Seen]) -> str:
    wrong = [one.concept for one in found if one.right is False and not one.likely]
    if wrong:
        return f" (wrong about {', '.join(wrong)})"
    likely = [one.concept for one in found if one.right is False]
    if likely:
        return f" (right, but for {', '.join(likely)}, unless it shows both)"
    return "" if any(one.right is None for one in found) else " (right)"
