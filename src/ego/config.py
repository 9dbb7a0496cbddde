"""EgoConfig: every number of the method, with its unit, its default and where the default comes from."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Reduction = Literal["mean", "max"]
Selector = Literal["attention", "uniform", "random", "all"]
StoredType = Literal["bfloat16", "float16", "float32"]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class EgoConfig(BaseModel):
    """Settings of the method. "Paper" is arXiv 2603.09771; "gap" marks what the paper leaves open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # -- describe: keywords (paper 3.1)
    description_tokens: int = Field(
        40, ge=1, description="Longest description, in new tokens. Gap: one short sentence."
    )
    drop_stop_words: bool = Field(False, description="Leave articles and prepositions out of the keywords. Gap: off.")

    # -- attention: importance (paper Eq. 3)
    reduction: Reduction = Field("mean", description="Over layers, heads and keywords. Formula: mean; prose: max.")
    normalize: bool = Field(False, description="Make each row of attention sum to 1 over the visual tokens first.")
    layers: tuple[int, ...] | None = Field(
        None, description="Decoder layers to read, counted from 0. None: the calibrated ones, else the depth band."
    )
    depth_band: tuple[Fraction, Fraction] = Field(
        (0.60, 0.82),
        description="Relative depth of the layers of an uncalibrated model (published InternVL3-14B layers).",
    )

    # -- memory size (paper Eq. 4)
    budget: Fraction = Field(
        0.20, description="Cap K per reference image, as a share of its visual tokens. Paper: 20 %."
    )
    dynamic_size: bool = Field(True, description="Keep fewer tokens when the model says the subject covers less.")
    min_tokens: int = Field(4, ge=1, description="Fewest tokens a view may keep. Gap: 4.")
    area_tokens: int = Field(8, ge=1, description="Longest answer to the area question, in new tokens.")

    # -- selection
    selector: Selector = Field("attention", description="How tokens are chosen; the others are for the ablation.")
    seed: int = Field(0, description="Seed of the random selector.")

    # -- inference (paper 3.3)
    positions: Literal["sequential", "grid"] = Field(
        "sequential", description="Rotary positions of a memory: like text, or its places in the reference image."
    )
    threshold: Fraction = Field(0.5, description="Probability of yes from which a concept counts as present.")
    answer_tokens: int = Field(128, ge=1, description="Longest answer, in new tokens.")
    caption_tokens: int = Field(64, ge=1, description="Longest caption, in new tokens.")
    context_budget: int = Field(
        4096,
        ge=1,
        description="Most tokens that memories may take in one prompt; beyond it the similarity filter chooses.",
    )
    video_frames: int = Field(8, ge=1, description="Frames taken from a video, uniformly. Gap: 8.")

    # -- storage
    stored_type: StoredType = Field("bfloat16", description="Number format of stored rows.")
    thumbnails: bool = Field(False, description="Store a small picture of the first reference. Off: privacy.")
