"""What a memory tells of itself beside its rows: the model it belongs to, and how each view was chosen."""

import hashlib

from pydantic import BaseModel, ConfigDict


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


def identity_of(created: str, first: str) -> str:
    """Tell a concept from all others by what stays when it is renamed, moved or gets another view.

    Args:
        created: Time of introduction.
        first: Digest of its first reference image; empty if there is none.
    """
    return hashlib.sha256(f"{created} {first}".encode()).hexdigest()[:16]
