"""Where the concepts that were recognised were seen: in a photo once, in a clip at every moment they were seen at."""

from collections.abc import Iterable, Sequence

from ego.footage import QueryImage, query_frames
from ego.media import Frame
from ego.personalizer import Ego
from ego.results import Place, Recognition


def places(personal: Ego, image: QueryImage, found: Iterable[Recognition]) -> dict[str, tuple[Place, ...]]:
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
    return {one.name: _places(personal, one, frames) for one in present}


def places_in(personal: Ego, frames: Sequence[Frame], names: Sequence[str]) -> dict[str, tuple[Place, ...]]:
    """Say where the model looks for concepts in every frame, as `Ego.where` does, and when each is shown."""
    found = personal.where([frame.picture for frame in frames], names)
    return {
        name: tuple(Place(pointing, frame.seconds) for pointing, frame in zip(pointings, frames, strict=True))
        for name, pointings in found.items()
    }


def _places(personal: Ego, one: Recognition, frames: Sequence[Frame]) -> tuple[Place, ...]:
    seen = [frame for frame in frames if frame.seconds is None or frame.seconds in one.seen_at]
    return places_in(personal, seen, [one.name])[one.name] if seen else ()
