"""EgoConfig: every number of the method, with its unit, its default and where the default comes from."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ego.errors import ConfigError
from ego.limits import FRAMES

Reduction = Literal["mean", "max"]
Selector = Literal["attention", "uniform", "random", "all"]
StoredType = Literal["bfloat16", "float16", "float32", "int8"]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class EgoConfig(BaseModel):
    """Settings of the method. "Paper" is arXiv 2603.09771; "gap" marks what the paper leaves open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _say_what_is_wrong(cls, data: Any, validate: Callable[[Any], Any]) -> Any:
        try:
            return validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "settings"
            raise ConfigError(f"{field} = {first['input']!r} of EgoConfig: {first['msg']}") from error

    # -- describe: keywords (paper 3.1)
    description_tokens: int = Field(
        default=40, ge=1, description="Longest description, in new tokens. Gap: one short sentence."
    )
    drop_stop_words: bool = Field(
        default=False, description="Leave articles and prepositions out of the keywords. Gap: off."
    )

    # -- attention: importance (paper Eq. 3)
    reduction: Reduction = Field(
        default="mean", description="Over layers, heads and keywords. Formula: mean; prose: max."
    )
    normalize: bool = Field(
        default=False, description="Make each row of attention sum to 1 over the visual tokens first."
    )
    layers: tuple[int, ...] | None = Field(
        default=None,
        description="Decoder layers to read, counted from 0. None: the calibrated ones, else the depth band.",
    )
    depth_band: tuple[Fraction, Fraction] = Field(
        default=(0.60, 0.82),
        description="Relative depth of the layers of an uncalibrated model (published InternVL3-14B layers).",
    )

    # -- memory size (paper Eq. 4)
    budget: Fraction = Field(
        default=0.20, description="Cap K per reference image, as a share of its visual tokens. Paper: 20 %."
    )
    dynamic_size: bool = Field(
        default=True, description="Keep fewer tokens when the model says the subject covers less."
    )
    min_tokens: int = Field(default=4, ge=1, description="Fewest tokens a view may keep. Gap: 4.")
    area_tokens: int = Field(default=8, ge=1, description="Longest answer to the area question, in new tokens.")

    # -- selection
    selector: Selector = Field(
        default="attention", description="How tokens are chosen; the others are for the ablation."
    )
    seed: int = Field(default=0, description="Seed of the random selector, beside the picture itself.")
    always_describe: bool = Field(
        default=False, description="Ask for a description even where tokens are chosen without one (ablation)."
    )

    # -- inference (paper 3.3)
    threshold: Fraction = Field(default=0.5, description="Probability of yes from which a concept counts as present.")
    answer_tokens: int = Field(default=128, ge=1, description="Longest answer, in new tokens.")
    caption_tokens: int = Field(default=64, ge=1, description="Longest caption, in new tokens.")
    context_budget: int = Field(
        default=4096,
        ge=1,
        description="Most tokens of memories and names in one prompt; beyond it the similarity filter chooses.",
    )
    candidates: int = Field(
        default=16,
        ge=1,
        description="Concepts of a library of more than 1,000 that a picture is asked about: those most like it.",
    )
    cache_megabytes: int = Field(
        default=1024,
        ge=0,
        description="Most memory for encoded images and prefilled prompts that are kept for the next query; 0: none.",
    )
    video_frames: int = Field(
        default=8, ge=1, le=FRAMES, description="Frames taken from a video, uniformly over its time. Gap: 8."
    )
    frames_together: int = Field(
        default=1, ge=1, le=FRAMES, description="Frames of a video shown at once when it is asked what is in it."
    )
    introduction_frames: int = Field(
        default=4, ge=1, le=FRAMES, description="Views taken from a video that a concept is introduced from."
    )

    # -- storage
    stored_type: StoredType = Field(
        default="bfloat16", description="Number format of stored rows; int8 (one scale per row) takes half of bfloat16."
    )
    thumbnails: bool = Field(default=False, description="Store a small picture of the first reference. Off: privacy.")
