"""Data that is not all there: refused where it is a published data set, left out item by item where it is the user's.

Figures on a published data set are of all of it, or of nothing. Of a user's own album, one bad photo costs itself only:
photos that are missing or cannot be read, and what asks about them, are left out, counted and listed.
"""

from collections.abc import Iterator
from pathlib import Path

from ego.errors import DatasetError, ImageError
from ego.evaluation.datasets.left_out import LeftOut
from ego.evaluation.datasets.tree import refuse_pointer
from ego.evaluation.manifest import CaptionSample, Manifest, RecognitionSample, Sample, Subject
from ego.limits import VIDEO_BYTES
from ego.media import read_image
from ego.photo_files import is_file, is_video_name
from ego.regular_file import open_regular


def require_complete(manifest: Manifest, how_to_get: str) -> Manifest:
    """Return the manifest if every file it names is there.

    Raises:
        DatasetError: With what is missing and how to get it.
    """
    root = Path(manifest.root)
    for subject in manifest.subjects:
        if not subject.references:
            raise DatasetError(f"concept {subject.key!r} in {root} has no reference image. {how_to_get}")
    if not manifest.samples:
        why = "".join(f" ({note})" for note in manifest.notes)
        raise DatasetError(f"{root} holds no test image or question{why}. {how_to_get}")
    named = [root / path for path in dict.fromkeys(_files(manifest))]
    if missing := [path for path in named if not is_file(path)]:
        files = "1 file is missing:" if len(missing) == 1 else f"{len(missing)} files are missing, such as"
        raise DatasetError(f"{files} {missing[0]}. {how_to_get}")
    for path in named:
        refuse_pointer(path)
    return manifest


def without_unusable(manifest: Manifest) -> Manifest:
    """Leave out what is missing or cannot be read, and say so; say which photo is both a reference and a question.

    Every photo is read once for that.
    """
    root, left_out = Path(manifest.root), LeftOut()
    digests = {path: _digest(root, path, left_out) for path in dict.fromkeys(_files(manifest))}
    usable = {path for path, digest in digests.items() if digest is not None}
    subjects = tuple(_with_references(manifest.subjects, usable, left_out))
    keys = {subject.key for subject in subjects}
    samples = tuple(kept for sample in manifest.samples if (kept := _answerable(sample, usable, keys)) is not None)
    dropped = len(manifest.samples) - len(samples)
    notes = (*left_out.notes, *([f"{dropped} questions left out with them"] if dropped else []))
    same = _seen_before(subjects, samples, digests)
    return manifest.model_copy(
        update={"subjects": subjects, "samples": samples, "notes": (*manifest.notes, *notes, *same)}
    )


def _digest(root: Path, path: str, left_out: LeftOut) -> str | None:
    """Identify a photo by its pixels, a clip by its path; None if it cannot be used."""
    place = root / path
    if not is_file(place):
        left_out.add("pictures that are missing", path)
        return None
    refuse_pointer(place)
    try:
        if is_video_name(place):
            open_regular(place, largest=VIDEO_BYTES, refuse=ImageError).close()
            return path
        return read_image(place).digest
    except ImageError as error:
        left_out.add("pictures that cannot be read", f"{path} ({str(error).removeprefix(str(place)).strip()})")
        return None


def _with_references(subjects: tuple[Subject, ...], usable: set[str], left_out: LeftOut) -> Iterator[Subject]:
    for subject in subjects:
        references = tuple(path for path in subject.references if path in usable)
        if references:
            yield subject.model_copy(update={"references": references})
        else:
            left_out.add("concepts without a reference image", subject.key)


def _answerable(sample: Sample, usable: set[str], keys: set[str]) -> Sample | None:
    """Leave out a question about a lost picture or concept; of what is remembered, lost concepts leave."""
    asked = {sample.asked} if isinstance(sample, RecognitionSample) else set()
    known = tuple(key for key in sample.known if key in keys)
    pictures = {*sample.pictures, *([sample.video] if sample.video else [])}
    if not pictures <= usable or not asked <= keys or (sample.known and not known):
        return None
    update: dict[str, tuple[str, ...]] = {"known": known}
    if isinstance(sample, CaptionSample):
        update["present"] = tuple(key for key in sample.present if key in keys)
    return sample.model_copy(update=update)


def _seen_before(
    subjects: tuple[Subject, ...], samples: tuple[Sample, ...], digests: dict[str, str | None]
) -> Iterator[str]:
    """Name photos that introduce a concept and are asked about, too: answers about them say little."""
    reference_of = {digests[path]: path for subject in subjects for path in subject.references}
    asked = dict.fromkeys(path for sample in samples for path in sample.pictures)
    same = [f"{path} = {reference_of[digests[path]]}" for path in asked if digests[path] in reference_of]
    if same:
        yield f"{len(same)} photos are references and questions at once: {', '.join(same[:10])}"


def _files(manifest: Manifest) -> Iterator[str]:
    for subject in manifest.subjects:
        yield from subject.references
    for sample in manifest.samples:
        yield from sample.pictures
        if sample.video:
            yield sample.video
