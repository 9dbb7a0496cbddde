"""ConceptMemory: the kept tokens of one concept, how they came about, and the fingerprint of their model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import torch

from ego import limits
from ego.config import StoredType
from ego.errors import ForeignMemoryError, InputError
from ego.memory_story import Fingerprint, ViewRecord, identity_of
from ego.visual_tokens import VisualTokens, concatenate

__all__ = ["ConceptMemory", "Fingerprint", "ViewRecord"]


@dataclass(frozen=True, eq=False)
class ConceptMemory:
    """A remembered concept: its soft prompt and its story.

    Attributes:
        name: The user's name for it.
        category: What it is, in the user's words; may be empty. Not put into prompts.
        notes: Free text of the user; not put into prompts.
        tokens: Kept visual tokens of all views, views in order, raster order inside each.
        views: One record per reference image.
        fingerprint: The model the rows belong to.
        created: Time of introduction, ISO 8601, UTC.
        thumbnail: Small JPEG of the first reference, only if asked for.
        stored_type: Number format of its file, where that is not the format of the rows (int8); it is kept when the
            memory is written again.
    """

    name: str
    category: str
    notes: str
    tokens: VisualTokens
    views: tuple[ViewRecord, ...]
    fingerprint: Fingerprint
    created: str
    thumbnail: bytes | None = None
    stored_type: StoredType | None = None

    def __post_init__(self) -> None:
        """Let the tokens know whether they are all of one image."""
        whole = whole_image(self.views)
        if self.tokens.whole_of != whole:
            object.__setattr__(self, "tokens", replace(self.tokens, whole_of=whole))

    @property
    def identity(self) -> str:
        """Tell the concept from all others, see `identity_of`."""
        return identity_of(self.created, self.views[0].image if self.views else "")

    @property
    def place(self) -> tuple[datetime, str]:
        """What memories are sorted by: the stable order of prompts and lists."""
        return datetime.fromisoformat(self.created).astimezone(), self.name

    def renamed(self, name: str) -> "ConceptMemory":
        """Give the concept another name."""
        return replace(self, name=name)

    def with_views_of(self, other: "ConceptMemory") -> "ConceptMemory":
        """Add the views of `other`, made by the same model, behind the present ones."""
        self.require(other.fingerprint)
        return replace(self, tokens=concatenate([self.tokens, other.tokens]), views=self.views + other.views)

    def without_view(self, view: int) -> "ConceptMemory":
        """Take the tokens and the record of one reference image out.

        Raises:
            InputError: If there is no such view, or it is the only one.
        """
        if not 0 <= view < len(self.views):
            raise InputError(f"{self.name!r} has {len(self.views)} views; view {view} is none of them (first is 0)")
        if len(self.views) == 1:
            raise InputError(f"view {view} is all that is known of {self.name!r}; forget the concept instead")
        sizes = torch.tensor([len(record.kept) for record in self.views])
        owner = torch.arange(len(self.views)).repeat_interleave(sizes)
        rest = self.views[:view] + self.views[view + 1 :]
        return replace(self, tokens=self.tokens.select((owner != view).nonzero()[:, 0]), views=rest)

    @property
    def digests(self) -> tuple[str, ...]:
        """Which pictures it rests on, each by its pixels."""
        return tuple(view.image for view in self.views)

    def with_views(self, views: tuple[ViewRecord, ...], tokens: VisualTokens) -> "ConceptMemory":
        """Put other views, and their tokens, in the place of the present ones."""
        return replace(self, tokens=tokens, views=views)

    def require(self, fingerprint: Fingerprint) -> None:
        """Refuse a model that cannot read these rows.

        Raises:
            ForeignMemoryError: If weights or image processing differ.
        """
        if not fingerprint.accepts(self.fingerprint):
            raise ForeignMemoryError(
                f"memory {self.name!r} was made with {_label(self.fingerprint)}, not {_label(fingerprint)}; "
                "introduce it again with this model, or load the model it was made with"
            )

    def on(self, target: torch.device | torch.dtype) -> "ConceptMemory":
        """Move the rows to a device or a number format."""
        return replace(self, tokens=self.tokens.to(target))


def whole_image(views: Sequence[ViewRecord]) -> tuple[int, int] | None:
    """Say the size of the one image that a memory keeps whole; None if it chose tokens or has several views."""
    if len(views) != 1 or views[0].kept != tuple(range(views[0].candidates)):
        return None
    width, height = views[0].size
    return (width, height) if 0 < width * height <= limits.KEPT_PIXELS else None  # a file may say anything


def _label(fingerprint: Fingerprint) -> str:
    weights = f"{fingerprint.weights[:8]}, image processing {fingerprint.processor[:8]}"
    return f"{fingerprint.model_id} (weights {weights})"
