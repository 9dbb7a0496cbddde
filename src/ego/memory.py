"""ConceptMemory: the kept tokens of one concept, how they came about, and the fingerprint of their model."""

from dataclasses import dataclass, replace

import torch
from pydantic import BaseModel, ConfigDict

from ego.errors import ForeignMemoryError, InputError
from ego.visual_tokens import VisualTokens, concatenate


class Fingerprint(BaseModel):
    """What a memory is valid for. Two models with the same digests read each other's memories, whatever their path.

    Attributes:
        model_id: Hub name or folder the model was loaded from; for messages only.
        revision: Commit of the checkpoint, empty when unknown; for messages only.
        model_type: Architecture, as `config.model_type` spells it.
        dim: Width of the language model.
        weights: Digest of the vision tower's, the projector's and the embedding's weights.
        processor: Digest of the image processor's settings, visual-token limit included.
        transformers: Version of transformers that made the memory; informative.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str
    revision: str
    model_type: str
    dim: int
    weights: str
    processor: str
    transformers: str

    def accepts(self, other: "Fingerprint") -> bool:
        """Say whether memories of `other` can be read by this model."""
        ours = (self.model_type, self.dim, self.weights, self.processor)
        return ours == (other.model_type, other.dim, other.weights, other.processor)


class ViewRecord(BaseModel):
    """How the tokens of one reference image were chosen; enough to draw and to explain the result.

    Attributes:
        image: Digest (sha256) of the decoded reference image.
        size: Width and height of the reference image, pixels.
        description: What the model said, or the keywords the user gave.
        description_by: "model", "user" (keywords given), "region" (mask or box given) or "none" (the tokens were chosen
            without words).
        keywords: The keyword tokens as text, in order.
        keyword_positions: Which tokens of the description they are, counted from 0.
        area_answer: The model's own words on the area question; empty when not asked.
        area_percent: The share read from it, or the region's own; None when it could not be read or was not asked.
        size_rule: How the number of tokens came about, in words.
        selector: How the tokens were chosen, see `EgoConfig.selector`.
        candidates: Number of visual tokens of the reference (N_r).
        kept: Positions of the kept tokens among them, in raster order (K_c of them).
        boxes: Box of every candidate, fractions x0 y0 x1 y1; empty for a family of unknown geometry.
        importance: Score of every candidate: attention, or how much of its box the region covers; zeros without either.
        layers: Decoder layers that chose the tokens; none where attention did not choose.
        seconds: Wall-clock time of this view.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str
    size: tuple[int, int]
    description: str
    description_by: str
    keywords: tuple[str, ...]
    keyword_positions: tuple[int, ...]
    area_answer: str
    area_percent: float | None
    size_rule: str
    selector: str
    candidates: int
    kept: tuple[int, ...]
    boxes: tuple[tuple[float, float, float, float], ...]
    importance: tuple[float, ...]
    layers: tuple[int, ...]
    seconds: float


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
    """

    name: str
    category: str
    notes: str
    tokens: VisualTokens
    views: tuple[ViewRecord, ...]
    fingerprint: Fingerprint
    created: str
    thumbnail: bytes | None = None

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


def _label(fingerprint: Fingerprint) -> str:
    weights = f"{fingerprint.weights[:8]}, image processing {fingerprint.processor[:8]}"
    return f"{fingerprint.model_id} (weights {weights})"
