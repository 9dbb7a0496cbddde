"""Where the concepts that were recognised were seen: in a photo once, in a clip at every moment they were seen at."""

from collections.abc import Iterable
from dataclasses import dataclass

from ego.concept import ImageSource
from ego.footage import query_frames
from ego.media import Frame
from ego.personalizer import Ego
from ego.pointing import Pointing
from ego.results import Recognition


@dataclass(frozen=True)
class Place:
    """One place at which a concept was seen.

    Attributes:
        frame: The photo, or the frame of the clip.
        pointing: Where in it.
    """

    frame: Frame
    pointing: Pointing


def places(personal: Ego, image: ImageSource, found: Iterable[Recognition]) -> dict[str, tuple[Place, ...]]:
    """Say where each concept that is present was seen.

    Args:
        personal: Who recognised.
        image: A photo or a clip.
        found: What was recognised in it; absent concepts have no place.

    Raises:
        InputError: If the geometry of the model is unknown.
    """
    present = [one for one in found if one.present]
    frames = query_frames(image, personal.config.video_frames) if present else ()
    return {one.name: _places(personal, one, _moments(one, frames)) for one in present}


def _moments(one: Recognition, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    return tuple(frame for frame in frames if frame.seconds is None or frame.seconds in one.seen_at)


def _places(personal: Ego, one: Recognition, frames: tuple[Frame, ...]) -> tuple[Place, ...]:
    if not frames:
        return ()
    pointings = personal.where([frame.picture for frame in frames], [one.name])[one.name]
    return tuple(Place(frame, pointing) for frame, pointing in zip(frames, pointings, strict=True))
