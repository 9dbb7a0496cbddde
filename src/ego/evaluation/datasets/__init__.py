"""The table of data sets: a name -> how to read a local folder into a manifest."""

from collections.abc import Callable
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
from ego.evaluation.manifest import Manifest, check, load_manifest

DATASETS: dict[str, Callable[[Path], Manifest]] = {
    "folder": plain_folder.load,
    "yollava": yollava.load,
    "myvlm": myvlm.load,
    "this-is-my-img-single": this_is_my_img.load_single,
    "this-is-my-img-multi": this_is_my_img.load_multi,
    "rap": rap.load,
    "mc-llava": mc_llava.load,
    "this-is-my-video": this_is_my_video.load,
    "manifest": load_manifest,
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
    return check(DATASETS[name](folder))
