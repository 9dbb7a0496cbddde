"""Pictures of samples and subjects, read through `ego.media` and `ego.video`; the latest stay in memory."""

from functools import lru_cache
from pathlib import Path

from ego.evaluation.manifest import Sample, Subject
from ego.media import LoadedImage, read_image
from ego.video import is_video, read_frames

KEPT = 16


class PictureReader:
    """Reads what a manifest names.

    Args:
        root: Folder that the paths of the manifest are relative to.
        frames: Frames taken from a clip.
    """

    def __init__(self, root: Path, frames: int) -> None:
        self._root, self._frames = root, frames
        self._read = lru_cache(maxsize=KEPT)(self._load)

    def of(self, sample: Sample) -> tuple[LoadedImage, ...]:
        """Pictures of a sample, or the frames of its clip; none for a question about memories alone."""
        if sample.video:
            return self._read(sample.video, self._frames)
        return tuple(picture for path in sample.pictures for picture in self._read(path, 1))

    def references(self, subject: Subject, views: int) -> tuple[LoadedImage, ...]:
        """The first `views` (1 or more) references of a subject, fewer if it has fewer; of a clip, the middle frame."""
        return tuple(picture for path in subject.references[:views] for picture in self._read(path, 1))

    def _load(self, path: str, frames: int) -> tuple[LoadedImage, ...]:
        place = self._root / path
        if is_video(place):
            return tuple(LoadedImage(frame.picture, str(place)) for frame in read_frames(place, frames))
        return (read_image(place),)
