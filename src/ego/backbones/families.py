"""The table of families: what Ego knows about a kind of model beyond what it can find out by itself.

Importable without torch, so that `ego models` answers at once. Geometry schemes are spelt out in `geometry.py`, token
limits in `image_preparation.py`; both are named here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

SchemeName: TypeAlias = Literal[
    "whole image",
    "single grid",
    "padded view",
    "tiles",
    "merged patches",
    "any-res",
    "pooled patches",
    "sized patches",
    "shaped patches",
]
LimitName: TypeAlias = Literal[
    "fixed", "one view", "tiles", "pixels", "pixels of two frames", "image tokens", "soft tokens", "smaller image"
]
VideoName: TypeAlias = Literal["pixels of a frame", "pixels of all frames", "squares", "pooled"]


@dataclass(frozen=True)
class Checkpoint:
    """A model that works well.

    Attributes:
        model_id: Name on the Hub.
        weights_gb: Memory of its weights in bfloat16, GB (2 bytes per parameter); add 10-20 % for activations.
    """

    model_id: str
    weights_gb: float


@dataclass(frozen=True)
class Family:
    """One line of the table.

    Attributes:
        name: Name for people.
        model_types: Values of `config.model_type`.
        geometry: Which box each visual token looks at: a scheme of `geometry.py` or a function of the same form; None
            when unknown (index order, no heat-map, no calibration).
        limit: How the number of visual tokens of an image is set: a way of `image_preparation.py` or a function of the
            same form; None for images made smaller.
        video: How it reads videos: tokens over pairs of frames, named by what the limits of its video processor count,
            or every frame by itself, in a square or in pooled tokens; None where a video is shown as several images.
        checkpoints: Examples, small to large.
        notes: What a user should know before choosing it.
    """

    name: str
    model_types: tuple[str, ...]
    geometry: SchemeName | Callable[..., Any] | None
    limit: LimitName | Callable[..., Any] | None
    video: VideoName | None = None
    checkpoints: tuple[Checkpoint, ...] = ()
    notes: str = ""


UNKNOWN = Family(
    name="unknown",
    model_types=(),
    geometry=None,
    limit=None,
    notes="Works, but without heat-map, spatial order and layer calibration.",
)

_families: list[Family] = [
    Family(
        name="InternVL 3 and 3.5",
        model_types=("internvl",),
        geometry="tiles",
        limit="tiles",
        video="squares",
        checkpoints=(
            Checkpoint("OpenGVLab/InternVL3-1B-hf", 1.9),
            Checkpoint("OpenGVLab/InternVL3-8B-hf", 15.9),
            Checkpoint("OpenGVLab/InternVL3-14B-hf", 30.2),
            Checkpoint("OpenGVLab/InternVL3_5-8B-HF", 17.1),
        ),
        notes="The paper's family. One tile of 256 tokens by default; 768 tokens and more add tiles.",
    ),
    Family(
        name="Qwen2.5-VL",
        model_types=("qwen2_5_vl",),
        geometry="merged patches",
        limit="pixels",
        video="pixels of a frame",
        checkpoints=(
            Checkpoint("Qwen/Qwen2.5-VL-3B-Instruct", 7.5),
            Checkpoint("Qwen/Qwen2.5-VL-7B-Instruct", 16.6),
        ),
        notes="Tokens grow with the image: 1024 at most by default.",
    ),
    Family(
        name="Qwen2-VL",
        model_types=("qwen2_vl",),
        geometry="merged patches",
        limit="pixels",
        video="pixels of a frame",
        checkpoints=(Checkpoint("Qwen/Qwen2-VL-2B-Instruct", 4.4), Checkpoint("Qwen/Qwen2-VL-7B-Instruct", 16.6)),
        notes="Tokens grow with the image: 1024 at most by default.",
    ),
    Family(
        name="Qwen3-VL",
        model_types=("qwen3_vl", "qwen3_vl_moe"),
        geometry="merged patches",
        limit="pixels",
        video="pixels of all frames",
        checkpoints=(
            Checkpoint("Qwen/Qwen3-VL-4B-Instruct", 8.9),
            Checkpoint("Qwen/Qwen3-VL-8B-Instruct", 17.5),
        ),
        notes="DeepStack: a memory takes four times the space. 1024 tokens per image at most by default.",
    ),
    Family(
        name="Qwen3.5",
        model_types=("qwen3_5", "qwen3_5_moe"),
        geometry="merged patches",
        limit="pixels",
        video="pixels of all frames",
        checkpoints=(Checkpoint("Qwen/Qwen3.5-9B", 19.3), Checkpoint("Qwen/Qwen3.5-27B", 55.0)),
        notes="Only one layer in four has an attention map; layers are chosen among those. Answers without thinking.",
    ),
    Family(
        name="LLaVA-OneVision",
        model_types=("llava_onevision",),
        geometry="padded view",
        limit="one view",
        video="squares",
        checkpoints=(
            Checkpoint("llava-hf/llava-onevision-qwen2-0.5b-ov-hf", 1.8),
            Checkpoint("llava-hf/llava-onevision-qwen2-7b-ov-hf", 16.1),
        ),
        notes="One padded view per image (730 tokens), as its processor writes several images.",
    ),
    Family(
        name="LLaVA-NeXT",
        model_types=("llava_next",),
        geometry="any-res",
        limit="fixed",
        checkpoints=(
            Checkpoint("llava-hf/llava-v1.6-mistral-7b-hf", 15.1),
            Checkpoint("llava-hf/llama3-llava-next-8b-hf", 16.7),
        ),
        notes="A whole view, then a grid that follows the aspect: 1,700 to 2,900 tokens per image.",
    ),
    Family(
        name="LLaVA 1.5 and Pixtral",
        model_types=("llava",),
        geometry="single grid",
        limit="fixed",
        checkpoints=(
            Checkpoint("llava-hf/llava-1.5-7b-hf", 14.1),
            Checkpoint("llava-hf/llava-1.5-13b-hf", 26.7),
        ),
        notes="The middle square of an image, 576 tokens. With Pixtral's tower (mistral-community/pixtral-12b) all of "
        "it, a mark behind every row; that one needs torchvision.",
    ),
    Family(
        name="SmolVLM",
        model_types=("smolvlm",),
        geometry="whole image",
        limit="fixed",
        video="squares",
        checkpoints=(
            Checkpoint("HuggingFaceTB/SmolVLM2-500M-Video-Instruct", 1.0),
            Checkpoint("HuggingFaceTB/SmolVLM2-2.2B-Instruct", 4.5),
        ),
        notes="Whole image only, 64 to 81 tokens. Needs the extra ego-vlm[smolvlm].",
    ),
    Family(
        name="Idefics3",
        model_types=("idefics3",),
        geometry="whole image",
        limit="fixed",
        checkpoints=(
            Checkpoint("HuggingFaceTB/SmolVLM-Instruct", 4.5),
            Checkpoint("HuggingFaceM4/Idefics3-8B-Llama3", 16.9),
        ),
        notes="Whole image only, 81 to 169 tokens.",
    ),
    Family(
        name="Gemma 3",
        model_types=("gemma3",),
        geometry="whole image",
        limit="fixed",
        checkpoints=(Checkpoint("google/gemma-3-4b-it", 8.6), Checkpoint("google/gemma-3-12b-it", 24.4)),
        notes="256 tokens per image. Most layers see 1024 tokens back: far memories only reach the global layers.",
    ),
    Family(
        name="Gemma 4",
        model_types=("gemma4",),
        geometry="pooled patches",
        limit="soft tokens",
        video="pooled",
        checkpoints=(Checkpoint("google/gemma-4-E4B-it", 16.0), Checkpoint("google/gemma-4-31B-it", 62.0)),
        notes="70, 140, 280, 560 or 1120 tokens per image. Most layers see a short window only.",
    ),
    Family(
        name="GLM-V 4.1 to 4.6",
        model_types=("glm4v", "glm4v_moe", "glm46v"),
        geometry="merged patches",
        limit="pixels of two frames",
        video="pixels of all frames",
        checkpoints=(Checkpoint("zai-org/GLM-4.1V-9B-Thinking", 20.6),),
        notes="Answers without thinking. 1024 tokens per image at most by default.",
    ),
    Family(
        name="Mistral 3",
        model_types=("mistral3",),
        geometry="sized patches",
        limit="smaller image",
        checkpoints=(Checkpoint("mistralai/Mistral-Small-3.1-24B-Instruct-2503", 48.0),),
        notes="A mark behind every row of an image; 1024 tokens at most by default. Needs torchvision.",
    ),
    Family(
        name="LFM2-VL",
        model_types=("lfm2_vl",),
        geometry="shaped patches",
        limit="image tokens",
        checkpoints=(Checkpoint("LiquidAI/LFM2-VL-450M", 0.9), Checkpoint("LiquidAI/LFM2-VL-1.6B", 3.2)),
        notes="The whole image in at most 256 tokens. Few layers have an attention map. Needs torchvision.",
    ),
    Family(
        name="Aya Vision",
        model_types=("aya_vision",),
        geometry="tiles",
        limit="tiles",
        checkpoints=(Checkpoint("CohereLabs/aya-vision-8b", 17.3),),
        notes="One tile of 169 tokens by default. Most layers see a window only.",
    ),
    Family(
        name="DeepSeek-VL",
        model_types=("deepseek_vl",),
        geometry="single grid",
        limit="fixed",
        checkpoints=(
            Checkpoint("deepseek-community/deepseek-vl-1.3b-chat", 4.0),
            Checkpoint("deepseek-community/deepseek-vl-7b-chat", 14.7),
        ),
        notes="The image in a padded square, 576 tokens.",
    ),
    Family(
        name="FastVLM",
        model_types=("fast_vlm",),
        geometry="single grid",
        limit="fixed",
        checkpoints=(Checkpoint("KamilaMila/FastVLM-0.5B", 1.3), Checkpoint("KamilaMila/FastVLM-7B", 16.0)),
        notes="One grid per image, 256 tokens at 1024 pixels. Any tower of transformers; the published ones need timm.",
    ),
]


REFUSED: dict[str, str] = {
    "paligemma": "it writes all images before the words, so memories have no place among them, and it has no chat",
    "idefics2": "its processor writes an image differently beside words and beside another image; use Idefics3",
    "llama4": "transformers hands its visual tokens out before they are projected into the language model",
    "mllama": "its images are read by cross-attention and have no place among the words",
    "kosmos-2": "its prompt carries image positions beside the tokens",
    "florence2": "it is an encoder-decoder without conversations",
    "blip-2": "it has no chat template and reads one image before the words",
    "instructblip": "it reads one image before the words, through a query transformer that reads the question, too",
    "emu3": "its images are discrete tokens of the vocabulary; there are no visual rows to remember",
    "chameleon": "its images are discrete tokens of the vocabulary; there are no visual rows to remember",
}
"""Kinds of models that stay out, and why."""


def register_family(family: Family) -> None:
    """Add a family, or replace the known one that answers to one of its model types.

    Everything else about a model is found out by looking at it: rotary positions, token types, DeepStack, windows.
    """
    kept = [known for known in _families if not set(known.model_types) & set(family.model_types)]
    _families[:] = [*kept, family]


def families() -> tuple[Family, ...]:
    """List all known families."""
    return tuple(_families)


def family_of(model_type: str) -> Family:
    """Find the family that answers to `config.model_type`; `UNKNOWN` if there is none."""
    return next((family for family in _families if model_type in family.model_types), UNKNOWN)
