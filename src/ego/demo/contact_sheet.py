"""One picture of the whole demonstration: what was kept of each thing, and what was found in every scene and clip."""

from collections.abc import Mapping, Sequence

from PIL import Image

from ego.demo.outcome import Outcome, Seen, Watched
from ego.demo.pictures import DemoClip, DemoConcept, DemoPictures, DemoScene
from ego.demo.sheet import Line, Panel, Section, draw_sheet
from ego.explain import heatmap
from ego.media import read_image
from ego.memory import ConceptMemory
from ego.video import read_frames

FRAMES = 8  # of a clip


def contact_sheet(
    pictures: DemoPictures, outcome: Outcome, memories: Mapping[str, ConceptMemory] | None = None
) -> Image.Image:
    """Draw the sheet; right answers have a green tick, wrong ones a red cross, those that nobody can judge no mark.

    Args:
        pictures: What was looked at.
        outcome: What was found.
        memories: Name -> what was kept of the thing; drawn as a heat-map where the model's tokens have a place.
    """
    things = [_thing(pictures, concept, (memories or {}).get(concept.name)) for concept in pictures.concepts]
    scenes = [_scene(pictures, scene, outcome) for scene in pictures.scenes]
    clips = [
        Section(f"Watched: {clip.note}", tuple(_frames(pictures, clip, outcome)), FRAMES) for clip in pictures.clips
    ]
    return draw_sheet(
        [
            Section("Introduced: white boxes are kept, the brighter the more it was looked at", tuple(things), 3),
            Section("Recognized, and described with the names", tuple(scenes), 4),
            *clips,
        ]
    )


def _thing(pictures: DemoPictures, concept: DemoConcept, memory: ConceptMemory | None) -> Panel:
    photo = read_image(pictures.folder / concept.references[0]).picture
    if memory is None:
        return Panel((photo,), (Line(concept.name),))
    view = memory.views[0]
    drawn = (heatmap(memory, photo, legend=False),) if view.boxes else ()
    kept = f"{concept.name}: {len(view.kept)} of {view.candidates} tokens kept"
    return Panel((photo, *drawn), (Line(kept), Line(f"In its own words: {view.description}")))


def _scene(pictures: DemoPictures, scene: DemoScene, outcome: Outcome) -> Panel:
    caption = next(one for one in outcome.captioned if one.scene == scene.file)
    seen = [one for one in outcome.seen if one.scene == scene.file]
    found = [
        Line(_found(one), None if one.likely else one.right) for one in seen if one.found or one.right is False
    ] or [Line("none of them", True if scene.present is not None else None)]
    return Panel((read_image(pictures.folder / scene.file).picture,), (*found, Line(caption.caption, caption.right)))


def _frames(pictures: DemoPictures, clip: DemoClip, outcome: Outcome) -> list[Panel]:
    """Show every frame with who was seen in it, and whether that is right."""
    watched = [one for one in outcome.watched if one.clip == clip.file]
    frames = read_frames(pictures.folder / clip.file, FRAMES)
    return [
        Panel((frame.picture,), (Line(f"{frame.seconds or 0:.1f} s"), *_at(watched, frame.seconds or 0.0)))
        for frame in frames
    ]


def _at(watched: Sequence[Watched], second: float) -> list[Line]:
    """Say who was seen, or missed, at a second."""
    lines = []
    for one in watched:
        there = one.expected is not None and one.expected[0] <= second <= one.expected[1]
        seen = any(abs(second - moment) < 0.05 for moment in one.seen_at)
        if seen or there:
            lines.append(Line(one.concept if seen else f"not {one.concept}", seen == there))
    return lines or [Line("nobody", True)]


def _found(one: Seen) -> str:
    return f"{one.concept}: {'yes' if one.found else 'no'} {one.probability:.2f}"
