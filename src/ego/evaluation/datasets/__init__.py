"""The table of data sets: a name -> how to read a local folder into a manifest."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ego.errors import DatasetError
from ego.evaluation.datasets import (
    mc_llava,
    myvlm,
    plain_folder,
    rap,
    this_is_my_img,
    this_is_my_video,
    yollava,
)
from ego.evaluation.datasets.complete import require_complete, without_unusable
from ego.evaluation.datasets.saved_manifest import load_manifest
from ego.evaluation.manifest import Manifest, check


@dataclass(frozen=True)
class Dataset:
    """How a data set is read, and what to do when it is not all there.

    Attributes:
        read: Reads a folder.
        how_to_get: What to tell a user who does not have it.
        own: Whether it is the user's own, and not a published one whose figures are of all of it.
    """

    read: Callable[[Path], Manifest]
    how_to_get: str
    own: bool = False


DATASETS = {
    "folder": Dataset(plain_folder.load, plain_folder.HOW_TO_GET, own=True),
    "yollava": Dataset(yollava.load, yollava.HOW_TO_GET),
    "myvlm": Dataset(myvlm.load, myvlm.HOW_TO_GET),
    "this-is-my-img-single": Dataset(this_is_my_img.load_single, this_is_my_img.HOW_TO_GET),
    "this-is-my-img-multi": Dataset(this_is_my_img.load_multi, this_is_my_img.HOW_TO_GET),
    "rap": Dataset(rap.load, rap.HOW_TO_GET),
    "mc-llava": Dataset(mc_llava.load, mc_llava.HOW_TO_GET),
    "this-is-my-video": Dataset(this_is_my_video.load, this_is_my_video.HOW_TO_GET),
    "manifest": Dataset(
        load_manifest, "Put the data back where the manifest says, or read it from its own folder again", own=True
    ),
}


def load_dataset(name: str, folder: Path) -> Manifest:
    """Read a data set.

    Args:
        name: Key of DATASETS.
        folder: Where the user downloaded it; for "manifest", the JSON file.

    Raises:
        DatasetError: If the name is unknown, or the folder is missing, half downloaded or contradicts itself.
    """
    if name not in DATASETS:
        raise DatasetError(f"no data set {name!r}; choose one of {', '.join(DATASETS)}")
    dataset = DATASETS[name]
    manifest = check(_read(name, dataset, folder))
    return require_complete(without_unusable(manifest) if dataset.own else manifest, dataset.how_to_get)


def _read(name: str, dataset: Dataset, folder: Path) -> Manifest:
    """Read a data set; files of another form than the published one are no fault of this program."""
    try:
        return dataset.read(folder)
    except (LookupError, TypeError, AttributeError, ValueError, OSError) as error:
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DatasetError(
            f"a file of {name} in {folder} is not in the form it is published in ({told}). {dataset.how_to_get}"
        ) from error
