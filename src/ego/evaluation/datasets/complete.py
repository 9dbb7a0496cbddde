"""Refuse data that was downloaded in part: nothing to ask, concepts without references, missing files, LFS pointers."""

from collections.abc import Iterator
from pathlib import Path

from ego.errors import DatasetError
from ego.evaluation.datasets.tree import refuse_pointer
from ego.evaluation.manifest import Manifest


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
        raise DatasetError(f"{root} holds no test image or question. {how_to_get}")
    named = [root / path for path in dict.fromkeys(_files(manifest))]
    if missing := [path for path in named if not path.is_file()]:
        files = "1 file is missing:" if len(missing) == 1 else f"{len(missing)} files are missing, such as"
        raise DatasetError(f"{files} {missing[0]}. {how_to_get}")
    for path in named:
        refuse_pointer(path)
    return manifest


def _files(manifest: Manifest) -> Iterator[str]:
    for subject in manifest.subjects:
        yield from subject.references
    for sample in manifest.samples:
        yield from sample.pictures
        if sample.video:
            yield sample.video
