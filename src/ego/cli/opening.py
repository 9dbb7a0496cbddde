"""Open what a command works on: the model with the library, or the library alone."""

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ego.cli.output import Output
from ego.cli.settings import EMBEDDED, Settings
from ego.errors import InputError, StoreError

if TYPE_CHECKING:
    from ego.backbones.base import Backbone
    from ego.client.remote import RemoteEgo
    from ego.library.contract import Library
    from ego.memory_listing import Listing
    from ego.personalizer import Ego

SPREAD = "auto"
NOTHING_KNOWN = "no concept is remembered yet; `ego introduce NAME IMAGE...` adds one"
REAL_USE = (
    "the embedded model mini answers; for real use choose --model OpenGVLab/InternVL3-14B-hf (about 30 GB of GPU "
    "memory) or Qwen/Qwen2.5-VL-7B-Instruct (about 17 GB), see `ego models`"
)


def open_store(settings: Settings, *, may_be_new: bool = False) -> "Library":
    """Open the library; no model is loaded.

    Raises:
        StoreError: If the user named a folder that is not there, and the command makes none.
    """
    from ego.library.database import FILE

    if not may_be_new:
        require_library(settings)
    if (settings.library / FILE).exists():
        from ego.library.catalogue import Catalogue

        return Catalogue(settings.library)
    from ego.store import ConceptStore

    return ConceptStore(settings.library)


def list_library(settings: Settings) -> "Listing":
    """Read what the concepts of the library tell of themselves; neither a model nor torch is loaded.

    Raises:
        StoreError: If the user named a folder that is not there, or it cannot be read.
    """
    from ego.library.listing import list_library as listed

    require_library(settings)
    return listed(settings.library)


def require_library(settings: Settings) -> None:
    """Refuse a library that the user named and that is not there (it is mistyped), or is a file.

    Raises:
        StoreError: If it is so.
    """
    require_folder(settings)
    if settings.library_chosen and not settings.library.exists():
        raise StoreError(
            f"there is no library at {settings.library}; check --library, EGO_LIBRARY and config.toml, or make it "
            "with `ego introduce`"
        )


def require_folder(settings: Settings) -> None:
    """Refuse a file in the place of the library.

    Raises:
        StoreError: If there is one.
    """
    if settings.library.exists() and not settings.library.is_dir():
        raise StoreError(f"{settings.library} is a file; give a folder for the memories")


def open_answering(settings: Settings, output: Output, video_frames: int | None = None) -> "Ego | RemoteEgo":
    """Open what answers: a running service, if the user named one, else the model in this process.

    Raises:
        InputError: If a number of frames is asked of a service, which looks at as many as it was started with.
    """
    if settings.server is None:
        return open_personalizer(settings, output, video_frames=video_frames)
    if video_frames is not None:
        raise InputError(
            "a service looks at as many frames as it was set to; leave --frames out, or unset EGO_SERVER to answer here"
        )
    from ego.client.remote import connect

    return connect(settings.server)


def open_personalizer(settings: Settings, output: Output, *, may_be_new: bool = False, **method: Any) -> "Ego":
    """Open the library and load the model; name the files of the library that this model cannot use."""
    with output.working("starting"):
        from ego.crowd import CROWD
        from ego.personalizer import Ego

        config, store = settings.config(**method), open_store(settings, may_be_new=may_be_new)
    personal = Ego(open_backbone(settings, output), store, config)
    few = store.count(personal.backbone.fingerprint) <= CROWD  # more are not all loaded
    for skipped in personal.skipped if few else ():
        output.note(f"left aside {skipped.file}: {skipped.reason}")
    return personal


def count_known(personal: "Ego | RemoteEgo") -> int:
    """Count the concepts that can be recognized; a library here loads none for it."""
    from ego.client.remote import RemoteEgo

    if isinstance(personal, RemoteEgo):
        return len(personal.memories)
    return personal.store.count(personal.backbone.fingerprint)


def open_backbone(settings: Settings, output: Output) -> "Backbone":
    """Load the model; without a choice of the user's, the embedded one, which says so in one line."""
    if not settings.chosen:
        output.note(REAL_USE)
    bars = settings.model != EMBEDDED and sys.stderr.isatty()  # a large model takes minutes, mini a moment
    spread = settings.device == SPREAD
    if bars:
        output.note(f"loading {settings.model}")
    with nullcontext() if bars else output.working(f"loading {settings.model}"):
        from ego.backbones import load_backbone
        from ego.backbones.loading import hide_progress

        if not bars:
            hide_progress()
        return load_backbone(
            settings.model,
            device=None if spread else settings.device,
            device_map=SPREAD if spread else None,
        )
