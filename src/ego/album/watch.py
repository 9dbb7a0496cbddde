"""Keep an album's index up to date: scan once, then again whenever a folder changes."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

from watchfiles import Change, watch

from ego.album.files import kind_of
from ego.album.scan import Summary
from ego.photo_files import is_passed_over

PATIENCE = 500  # milliseconds after which an unchanged folder is looked at again
SETTLE = 1600  # milliseconds without a change after which a group of changes is looked at


def keep_up(
    folders: Sequence[Path], scan_now: Callable[[], Summary], *, stop: Event | None = None
) -> Iterator[Summary]:
    """Scan, then wait for pictures to come, change or leave, and scan again; ends when `stop` is set.

    Changes while a scan runs are kept by the system and answered by the next scan.
    """
    changes = watch(
        *folders,
        watch_filter=_counts,
        debounce=SETTLE,
        rust_timeout=PATIENCE,
        stop_event=stop,
        yield_on_timeout=True,
    )
    next(changes)  # from here on nothing is missed
    yield scan_now()
    for change in changes:
        if change:
            yield scan_now()


def _counts(change: Change, path: str) -> bool:
    """Tell whether a change may change the album: of a picture, or of a folder, which tells nothing of its pictures."""
    place = Path(path)
    if is_passed_over(place.name):
        return False
    return kind_of(place) is not None or place.is_dir() or (change is Change.deleted and not place.suffix)
