"""A short clip of the demo: who walks through the picture, and when; drawn like the scenes, encoded as H.264.

The background and its light stay; each actor goes in a straight line from one place to another, between two seconds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image
from scenes import BALL, BLUE_BAG, BO, TREE, Placed, Scene

RATE = 10  # frames a second
QUALITY = "24"  # of H.264: small, and a memory's thing stays what it is


@dataclass(frozen=True)
class Walk:
    """Somebody crosses the picture.

    Attributes:
        actor: Who, at the height of the walk.
        begin: Second at which the walk begins, at the left edge or wherever `start` says.
        end: Second at which it ends.
        start: Centre at the beginning, in widths of the picture; below 0 it is outside.
        stop: Centre at the end.
    """

    actor: Placed
    begin: float
    end: float
    start: float
    stop: float

    def at(self, second: float) -> Placed | None:
        """Where the actor is; None before and after the walk."""
        if not self.begin <= second < self.end:
            return None
        share = (second - self.begin) / (self.end - self.begin)
        step = 2.0 if int(second * 4) % 2 else -2.0  # degrees; a gait
        return replace(self.actor, x=self.start + share * (self.stop - self.start), turn=step)


@dataclass(frozen=True)
class Clip:
    """A clip, with the seconds at which each concept is wholly in the picture."""

    scene: Scene
    walks: tuple[Walk, ...]
    seconds: float
    present: dict[str, tuple[float, float]]


CLIPS = (
    Clip(
        Scene("meadow", "a blue bag stands there, then Bo walks through", (Placed(TREE, 0.84, 0.4, 0.5),), light=1.05),
        (
            Walk(Placed(BLUE_BAG, 0.0, 0.7, 0.4), 0.0, 2.5, 0.5, 0.5),
            Walk(Placed(BO, 0.0, 0.64, 0.5), 3.0, 7.0, 0.66, 0.3),
            Walk(Placed(BALL, 0.0, 0.84, 0.16), 7.0, 8.0, 0.5, 0.5),
        ),
        8.0,
        {"Bo": (3.0, 7.0)},
    ),
)


def write_clip(path: Path, frames: Iterable[Image.Image], side: int) -> None:
    """Encode the frames of a clip, all square."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE, options={"crf": QUALITY, "preset": "veryslow", "threads": "1"})
        stream.pix_fmt, stream.width, stream.height = "yuv420p", side, side
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def scenes_of(clip: Clip) -> Iterator[Scene]:
    """Give what stands where in every frame."""
    for number in range(round(clip.seconds * RATE)):
        actors = tuple(placed for walk in clip.walks if (placed := walk.at(number / RATE)) is not None)
        yield replace(clip.scene, placed=(*clip.scene.placed, *actors))
