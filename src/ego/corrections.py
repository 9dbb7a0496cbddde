"""Yes and no of the user -> what is learnt of one concept, without training.

"This is Bo" and "this is not Bo" are kept beside the concepts, each with how sure the model was. From them every
concept gets a shift of its own on the log-odds of yes: the likeliest one under a prior that expects none, so that one
correction moves little and many agree on a threshold. A picture that was corrected is answered as the user said.
Every correction can be taken back.
"""

import math
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from os import PathLike
from typing import TYPE_CHECKING, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ego.atomic_file import OWN_FILE, make_folder, write_file
from ego.errors import StoreError
from ego.limits import JSON_BYTES
from ego.regular_file import open_regular, possible_path

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_NAME = "corrections.json"
PRIOR = 1.5
"""Standard deviation of a concept's shift before anything was corrected, log-odds. Gap: ours."""
SETTLED = 1e-6
LONGEST = 12.0  # log-odds; beyond it a probability is 0 or 1 to everybody
_LOCK = ".corrections.lock"
_PATIENCE = 30.0  # seconds


class Correction(BaseModel):
    """What the user said about one concept in one picture.

    Attributes:
        concept: Identity of the concept, see `ConceptMemory.identity`.
        picture: Digest of the picture's pixels.
        there: Whether the concept is in it.
        margin: Log-odds of yes, as the model answered before any correction of this concept.
        model: Which model answered: digests of weights and decoder.
        path: Where the picture was, for people; may be empty.
        when: Time, ISO 8601, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    concept: str
    picture: str
    there: bool
    margin: float = Field(ge=-1e3, le=1e3)
    model: str
    path: str = ""
    when: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="microseconds"))


class _File(BaseModel):
    """The file of a library, oldest correction first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    corrections: tuple[Correction, ...] = ()


class Corrections:
    """The corrections of one library; several processes may use it at once.

    Args:
        library: Folder of remembered concepts.

    Raises:
        StoreError: From every method, if the file cannot be read or written, or is damaged.
    """

    def __init__(self, library: str | PathLike[str]) -> None:
        self.path = possible_path(library) / FILE_NAME
        self._known: tuple[tuple[int, int], tuple[Correction, ...]] = (0, 0), ()

    def all(self) -> tuple[Correction, ...]:
        """List every correction that stands, oldest first."""
        try:
            status = self.path.stat()
            stamp = status.st_mtime_ns, status.st_ino
            if self._known[0] != stamp:
                self._known = stamp, self._read()
        except FileNotFoundError:
            return ()
        except ValidationError as error:
            raise self._unreadable(error.errors()[0]["msg"]) from error
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        return self._known[1]

    def of(self, concept: str, model: str) -> tuple[Correction, ...]:
        """List the corrections of one concept as answered by one model."""
        return tuple(one for one in self.all() if (one.concept, one.model) == (concept, model))

    def told(self, concept: str, picture: str) -> bool | None:
        """Say whether the user said that a concept is in a picture; None if nothing was said."""
        said = [one.there for one in self.all() if picture and (one.concept, one.picture) == (concept, picture)]
        return said[-1] if said else None

    def add(self, correction: Correction) -> None:
        """Keep a correction; what was said before of the same concept in the same picture no longer counts."""
        same = (correction.concept, correction.picture)
        with self._changing():
            others = [one for one in self.all() if (one.concept, one.picture) != same]
            self._write([*others, correction])

    def merge(self, others: Sequence[Correction]) -> int:
        """Take over corrections of another library; of two about one concept in one picture the later one counts.

        Returns:
            How many were taken over.
        """
        with self._changing() if others else nullcontext():
            own = {(one.concept, one.picture): one for one in self.all()}
            fresh = [one for one in others if one.when > getattr(own.get((one.concept, one.picture)), "when", "")]
            if fresh:
                joined = own | {(one.concept, one.picture): one for one in fresh}
                self._write(sorted(joined.values(), key=lambda one: one.when))
        return len(fresh)

    def undo(self) -> Correction | None:
        """Take the last correction back; None if there is none."""
        with self._changing():
            *others, last = self.all() or (None,)
            if last is not None:
                self._write([one for one in others if one is not None])
            return last

    def follow(self, concept: str, changed: str) -> None:
        """Keep the corrections of a concept whose identity changes with its first reference."""
        if any(one.concept == concept for one in self.all()):
            with self._changing():
                same = {"concept": changed}
                self._write([one.model_copy(update=same) if one.concept == concept else one for one in self.all()])

    def forget(self, concept: str) -> None:
        """Drop every correction of a concept."""
        if any(one.concept == concept for one in self.all()):
            with self._changing():
                self._write([one for one in self.all() if one.concept != concept])

    def _read(self) -> tuple[Correction, ...]:
        with open_regular(self.path, largest=JSON_BYTES, refuse=self._unreadable) as file:
            return parse_corrections(file.read())

    def _unreadable(self, why: str) -> StoreError:
        return StoreError(f"{self.path} cannot be read ({why}); repair it, or remove it to forget them")

    def _write(self, corrections: Sequence[Correction]) -> None:
        content = _File(corrections=tuple(corrections)).model_dump_json(indent=1)
        write_file(self.path, f"{content}\n".encode())

    @contextmanager
    def _changing(self) -> "Iterator[None]":
        try:
            make_folder(self.path.parent)
            with FileLock(self.path.with_name(_LOCK), timeout=_PATIENCE, mode=OWN_FILE):
                yield
        except Timeout as error:
            raise StoreError(f"another process has been changing {self.path} for long; try again") from error
        except OSError as error:
            raise StoreError(
                f"{self.path} cannot be written ({error.strerror or error}); check permissions and free space"
            ) from error


def parse_corrections(content: bytes) -> tuple[Correction, ...]:
    """Read the content of a file of corrections.

    Raises:
        ValidationError: If it is none.
    """
    return _File.model_validate_json(content).corrections


def shift(corrections: Sequence[Correction], *, prior: float = PRIOR) -> float:
    """Find the likeliest shift of a concept's log-odds of yes (maximum a posteriori, normal prior around none).

    It is found by bisection: the derivative of the log-posterior falls all the way.

    Args:
        corrections: What was said about the concept.
        prior: Standard deviation, log-odds.
    """
    low, high = -LONGEST, LONGEST
    while high - low > SETTLED:
        middle = (low + high) / 2
        slope = sum(one.there - logistic(one.margin + middle) for one in corrections) - middle / prior**2
        low, high = (middle, high) if slope > 0 else (low, middle)
    return (low + high) / 2 if corrections else 0.0


def logistic(margin: float) -> float:
    """Log-odds -> probability."""
    return 1 / (1 + math.exp(-margin)) if margin >= 0 else 1 - 1 / (1 + math.exp(margin))


def log_odds(probability: float) -> float:
    """Probability -> log-odds, bounded where float32 no longer tells probabilities from 0 and 1."""
    inside = min(max(probability, 1e-7), 1 - 1e-7)
    return math.log(inside / (1 - inside))
