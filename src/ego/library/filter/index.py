"""FilterIndex: keeps the files of one index in step with its library and answers from them.

The library is the truth. An index that is missing, damaged, written by another release, or of another state of the
library is mended or built anew by whoever asks next; a removed concept is never among the answers.
"""

import errno
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Float32, Int64

from ego.atomic_file import OWN_FILE, make_folder
from ego.errors import StoreError
from ego.library.filter.centroids import Centroids, train
from ego.library.filter.codes import REORDERED, Places, packed, reordered, scores_of, search
from ego.library.filter.files import Block, DamagedIndexError, IndexFiles, Opened
from ego.library.filter.late_interaction import best_first
from ego.library.filter.space import Space, fit_space

EXACT_BELOW = 4_000  # concepts; up to here scoring all of them is as fast as choosing first
RERANKED = 1_000  # concepts scored themselves, of the best by code, at least
RERANKED_OF = 250  # and one of so many: of a million, 1,000 find 0.85 to 0.92 of the best 20, 4,000 find 0.996
AXES = 128
LOCK_SECONDS = 3_600.0  # longest wait for another process that builds the index
_GROWTH, _GROWTH_OF_SMALL = 4, 2  # built anew when there are so many times the concepts it was fitted to
_SAMPLE_ROWS = 524_288  # read to fit space and centroids
_FIT_ROWS = 65_536  # of them for the space
_ROWS_PER_CENTROID = 128  # one centroid for so many rows of the library ...
_FEWEST, _MOST = 256, 16_384  # ... within these bounds
_BATCH = 4_096  # concepts read at once

_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}

logger = logging.getLogger(__name__)


@runtime_checkable
class Source(Protocol):
    """What an index is made from: concepts by key, for one model. A key always means the same rows."""

    def revision(self) -> str:
        """Name the present state; another state has another name."""
        ...

    def keys(self) -> Int64[np.ndarray, " concept"]:
        """List the keys of all concepts."""
        ...

    def changes(self, since: str) -> tuple[Int64[np.ndarray, " there"], Int64[np.ndarray, " gone"]] | None:
        """List what may have come and gone since a state; None if that is not known."""
        ...

    def rows(
        self, keys: Int64[np.ndarray, " key"]
    ) -> tuple[Int64[np.ndarray, " found"], Int64[np.ndarray, " found"], Float32[np.ndarray, "row dim"]]:
        """Read concepts: keys that are still there, rows of each, and the rows one after the other."""
        ...


@dataclass(frozen=True)
class Found:
    """A concept that may be in the picture.

    Attributes:
        key: Of the source.
        score: Mean over its rows of the best cosine over the picture's tokens, in the space of the index; from
            `likeliest`, the same the other way round is added.
    """

    key: int
    score: float


def scored_themselves(concepts: int, least: int = RERANKED) -> int:
    """How many of the best by code are scored themselves, in a library of so many concepts."""
    return max(least, concepts // RERANKED_OF)


class FilterIndex:
    """Finds concepts by similarity.

    Args:
        folder: Where its files are; made when it is built.
        source: The library.
        exact_below: Number of concepts up to which all are scored.
        reranked: How many are scored beyond that, at least; more of a very large library.
        space: To compare in; None fits one to the library. Scores of two indices can be compared if they share it.
    """

    def __init__(
        self,
        folder: Path,
        source: Source,
        *,
        exact_below: int = EXACT_BELOW,
        reranked: int = RERANKED,
        space: Space | None = None,
    ) -> None:
        self._space = space
        self._files, self._source = IndexFiles(folder), source
        self._exact_below, self._reranked = exact_below, reranked
        self._opened: Opened | None = None

    def nearest(self, tokens: Float32[np.ndarray, "visual dim"], most: int) -> tuple[Found, ...]:
        """Find the concepts most like a picture, best first.

        Args:
            tokens: Of the picture, as the projector gives them.
            most: How many to return.
        """
        return self._answered(lambda opened: self._search(opened, tokens, most))

    def likeliest(self, tokens: Float32[np.ndarray, "visual dim"], most: int) -> tuple[Found, ...]:
        """Find the concepts most like a picture, the best `REORDERED` in a better order than that of `nearest`.

        How well their rows are found in the picture counts, and how well the better half of the picture's tokens is
        found in their rows.

        Args:
            tokens: Of the picture, as the projector gives them.
            most: How many to return.
        """
        return self._answered(lambda opened: self._reordered(opened, tokens, most))

    def refresh(self) -> Opened:
        """Bring the index into step with the library."""
        opened = self._open()
        revision = self._source.revision()
        if opened is None or opened.manifest.revision != revision:
            with self._writing():
                opened = self._catch_up()
        return opened

    def rebuild(self) -> Opened:
        """Build the index anew from the library."""
        with self._writing():
            return self._build()

    def _answered(self, search: Callable[[Opened], Places]) -> tuple[Found, ...]:
        """Search the index, mended or built anew where it must be."""
        opened = self.refresh()
        try:
            return _found(opened, search)
        except DamagedIndexError as error:  # or removed by another process just now: look again before building
            self._opened = None
            logger.info("the filter index in %s: %s", self._files.folder, error)
        try:
            return _found(self.refresh(), search)
        except DamagedIndexError:
            return _found(self.rebuild(), search)

    def _search(self, opened: Opened, tokens: Float32[np.ndarray, "visual dim"], most: int) -> Places:
        if not opened.present.any():
            return np.empty(0, np.int64), np.empty(0, np.float32)
        placed = opened.space(tokens)
        if int(opened.present.sum()) <= max(most, self._exact_below):
            places = np.flatnonzero(opened.present)
            scores = scores_of(opened, places, placed)
            best = best_first(scores, most)
            return places[best], scores[best]
        return search(opened, placed, most, scored_themselves(len(opened.starts), self._reranked))

    def _reordered(self, opened: Opened, tokens: Float32[np.ndarray, "visual dim"], most: int) -> Places:
        places, scores = self._search(opened, tokens, max(most, REORDERED))
        if len(places):
            places, scores = reordered(opened, (places, scores), opened.space(tokens))
        return places[:most], scores[:most]

    def _open(self) -> Opened | None:
        try:
            self._opened = self._files.open(self._opened)
        except DamagedIndexError as error:
            logger.warning("the filter index in %s is built anew: %s", self._files.folder, error)
            self._opened = None
        return self._opened

    def _catch_up(self) -> Opened:
        """Add and remove what differs; build where that is less work."""
        opened = self._open()  # another process may have done it
        revision = self._source.revision()
        if opened is not None and opened.manifest.revision == revision:
            return opened
        if opened is None:
            return self._build()
        missing, gone = self._differences(opened)
        count = int(opened.present.sum()) + len(missing) - len(gone)
        written = opened.manifest.concepts + len(missing)
        growth = _GROWTH if count > EXACT_BELOW else _GROWTH_OF_SMALL
        if count > growth * opened.manifest.trained_on or written > 2 * max(count, _FEWEST):
            return self._build()
        self._apply(opened, missing, gone, revision)
        return self._reopened()

    def _differences(self, opened: Opened) -> tuple[Int64[np.ndarray, " missing"], Int64[np.ndarray, " gone"]]:
        """Compare with what the library says has changed, or with all of it."""
        changed = self._source.changes(opened.manifest.revision)
        if changed is None:
            keys, known = self._source.keys(), opened.concepts["key"][opened.present]
            return np.setdiff1d(keys, known), np.setdiff1d(known, keys)
        there, not_there = changed
        touched = np.concatenate([there, not_there])
        known = opened.concepts["key"][opened.places(touched)]
        return np.setdiff1d(there, known), np.intersect1d(not_there, known)

    def _apply(
        self, opened: Opened, missing: Int64[np.ndarray, " missing"], gone: Int64[np.ndarray, " gone"], revision: str
    ) -> None:
        """Remove, then add; only the last step says that the library's state is reached."""
        before = opened.manifest.revision
        if len(gone):
            self._files.remove(opened, opened.places(gone), before if len(missing) else revision)
        for first in range(0, len(missing), _BATCH):
            last = first + _BATCH >= len(missing)
            opened = self._reopened()
            block = self._block(opened, missing[first : first + _BATCH])
            self._files.append(opened, block, revision if last else before)
        if not len(gone) and not len(missing):
            self._files.restate(opened, revision)

    def _block(self, opened: Opened, keys: Int64[np.ndarray, " key"]) -> Block:
        return packed(opened.space, opened.centroids, *self._source.rows(keys))

    def _reopened(self) -> Opened:
        self._opened = self._files.open(self._opened)
        assert self._opened is not None  # it was written a moment ago, under the lock
        return self._opened

    def _build(self) -> Opened:
        revision, keys = self._source.revision(), self._source.keys()
        space, centroids = self._fit(keys)
        self._opened = None
        self._files.create(
            space, centroids, self._blocks(space, centroids, keys), revision=revision, trained_on=len(keys)
        )
        return self._reopened()

    def _blocks(self, space: Space, centroids: Centroids, keys: Int64[np.ndarray, " key"]) -> Iterator[Block]:
        for first in range(0, len(keys), _BATCH):
            yield packed(space, centroids, *self._source.rows(keys[first : first + _BATCH]))
            logger.info("indexed %d of %d concepts", min(first + _BATCH, len(keys)), len(keys))

    def _fit(self, keys: Int64[np.ndarray, " key"]) -> tuple[Space, Centroids]:
        """Fit space and centroids to a sample of the library."""
        if not len(keys):
            return Space(np.zeros(1, np.float32), np.ones((1, 1), np.float32)), train(np.ones((1, 1), np.float32), 1)
        chosen = np.random.default_rng(0).permutation(keys)
        sample, total = list[np.ndarray](), 0
        while total < _SAMPLE_ROWS and len(chosen):
            sample.append(self._source.rows(chosen[:_BATCH])[2])
            total, chosen = total + len(sample[-1]), chosen[_BATCH:]
        rows = np.concatenate(sample)[:_SAMPLE_ROWS]
        per_concept = len(rows) / max(1, len(keys) - len(chosen))
        count = int(np.clip(per_concept * len(keys) / _ROWS_PER_CENTROID, _FEWEST, _MOST))
        space = self._space or _fitted(rows)
        return space, train(space(rows), count)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Keep other writers out; where nothing can be written, the index is kept in a temporary folder."""
        try:
            make_folder(self._files.folder)
            lock = FileLock(self._files.folder / ".lock", timeout=LOCK_SECONDS, mode=OWN_FILE)
            lock.acquire()
        except Timeout as error:
            raise StoreError(f"another process keeps building {self._files.folder}; try again later") from error
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise StoreError(f"{self._files.folder} cannot be used ({error.strerror})") from error
            logger.info("%s cannot be written; the filter index is kept in a temporary folder", self._files.folder)
            self._temporary = tempfile.TemporaryDirectory(prefix="ego-filter-")
            self._files, self._opened = IndexFiles(Path(self._temporary.name)), None
            lock = FileLock(self._files.folder / ".lock")
            lock.acquire()
        try:
            yield
        except OSError as error:
            raise StoreError(f"the filter index in {self._files.folder} cannot be written ({error})") from error
        finally:
            lock.release()


def _found(opened: Opened, search: Callable[[Opened], Places]) -> tuple[Found, ...]:
    places, scores = search(opened)
    keys = opened.concepts["key"][places]
    return tuple(Found(int(key), float(score)) for key, score in zip(keys, scores, strict=True))


def _fitted(rows: Float32[np.ndarray, "row dim"]) -> Space:
    axes = max(1, min(AXES, rows.shape[1], len(rows) // 8))
    return fit_space(rows[:_FIT_ROWS], axes=axes, centred=len(rows) >= 8, whitening=1.0 if axes > 1 else 0.0)
