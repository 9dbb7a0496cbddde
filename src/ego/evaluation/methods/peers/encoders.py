"""External encoders of the peers, through transformers: CLIP or SigLIP, DINOv2, an open-vocabulary detector, SAM.

Which checkpoints are used is a setting; every method names the ones it rests on, and the report repeats them.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor
from torch.nn.functional import normalize
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoModelForZeroShotObjectDetection,
    AutoProcessor,
    AutoTokenizer,
    SamModel,
)

from ego.errors import BackboneError, ConfigError
from ego.evaluation.datasets.left_out import first_problem
from ego.text_file import read_text

Vector = Float[Tensor, " dim"]


class PeerSettings(BaseModel):
    """Checkpoints (Hub names or folders) of the peers' encoders; by default the papers', RAP's detector excepted.

    Attributes:
        clip: Image and text embeddings (RAP: CLIP ViT-L/14-336); of an encoder of images alone, images only.
        dino: Patch features (PeKit: DINOv2 large); any encoder of images with patches or a feature map.
        dino_side: Pixels a side of the images that `dino` sees.
        match_threshold: Least cosine of a match (PeKit: 0.75, for DINOv2).
        detector: Open-vocabulary detector: OWLv2 or Grounding DINO; none ("") takes the whole image for the object.
        detector_threshold: Least score of a detected box (RAP: 0.1).
        segmenter: SAM; none ("") takes the whole box for the object.
        device: Where they run.
        note: Said in the report, for example that weights are random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clip: str = "openai/clip-vit-large-patch14-336"
    dino: str = "facebook/dinov2-large"
    dino_side: int = 448
    match_threshold: float = 0.75
    detector: str = "google/owlv2-base-patch16-ensemble"
    detector_threshold: float = 0.1
    segmenter: str = "facebook/sam-vit-base"
    device: str = "cpu"
    note: str = ""

    def of(self, *names: str) -> tuple[str, ...]:
        """Name the checkpoints behind some encoders, those that are there, and the note."""
        return tuple(source for name in (*names, "note") if (source := getattr(self, name)))


def read_settings(path: Path | None) -> PeerSettings:
    """Read the settings from a TOML file; the defaults without one.

    Raises:
        ConfigError: If the file cannot be read or holds unknown settings.
    """
    if path is None:
        return PeerSettings()
    try:
        return PeerSettings.model_validate(tomllib.loads(read_text(path, ConfigError)))
    except (ConfigError, tomllib.TOMLDecodeError, RecursionError, ValidationError) as error:
        problem = first_problem(error) if isinstance(error, ValidationError) else error
        known = ", ".join(PeerSettings.model_fields)
        raise ConfigError(f"{path} holds no settings for the peers: {problem}; known are {known}") from error


@dataclass(frozen=True)
class Box:
    """A detected object: left, top, right, bottom in pixels, and how sure the detector is."""

    edges: tuple[float, float, float, float]
    score: float

    def crop(self, picture: Image.Image) -> Image.Image:
        """Cut the object out; at least one pixel."""
        left, top, right, bottom = (round(edge) for edge in self.edges)
        left, top = min(max(0, left), picture.width - 1), min(max(0, top), picture.height - 1)
        right, bottom = max(left + 1, min(right, picture.width)), max(top + 1, min(bottom, picture.height))
        return picture.crop((left, top, right, bottom))


class Encoders:
    """Loads each encoder when it is first needed.

    Raises:
        BackboneError: On first use of one that is not here.
    """

    def __init__(self, settings: PeerSettings) -> None:
        self.settings = settings

    def require(self, *names: str) -> None:
        """Load encoders by the names of their settings.

        Raises:
            BackboneError: If one is not here.
        """
        for name in names:
            if getattr(self.settings, name):
                getattr(self, f"_{name}")

    @torch.no_grad()
    def embed_image(self, picture: Image.Image) -> Vector:
        """Embed an image, length 1."""
        model, processor, tokenizer = self._clip
        pixels = processor(images=picture, return_tensors="pt").to(self.settings.device)
        if tokenizer is None:
            return normalize(_patches(model(**pixels).last_hidden_state, 0).mean(0), dim=-1)
        return normalize(_vector(model.get_image_features(**pixels)), dim=-1)

    @torch.no_grad()
    def embed_text(self, text: str) -> Vector:
        """Embed a text, length 1; nothing, which is unlike everything, where the encoder knows images alone."""
        model, _, tokenizer = self._clip
        if tokenizer is None:
            return torch.zeros_like(self.embed_image(Image.new("RGB", (64, 64))))
        longest = model.config.text_config.max_position_embeddings
        tokens = tokenizer([text], truncation=True, max_length=longest, return_tensors="pt")
        return normalize(_vector(model.get_text_features(**tokens.to(self.settings.device))), dim=-1)

    @torch.no_grad()
    def embed_region(self, picture: Image.Image, mask: Bool[np.ndarray, "height width"] | None = None) -> Vector:
        """Average the patch features of an image, or of the part of it under a mask; length 1."""
        (model, processor), side = self._dino, self.settings.dino_side
        size = {"height": side, "width": side}
        pixels = processor(images=picture, do_center_crop=False, size=size, return_tensors="pt")
        states = model(**pixels.to(self.settings.device)).last_hidden_state
        rows = states.shape[-1] if states.ndim == FEATURE_MAP else side // model.config.patch_size
        patches = _patches(states, rows)
        if mask is not None:
            patches = patches[_inside(mask, rows).to(patches.device)]
        return normalize(patches.mean(0), dim=-1)

    @torch.no_grad()
    def detect(self, picture: Image.Image, categories: Sequence[str]) -> list[Box]:
        """Find objects of some categories, best first."""
        if not self.settings.detector:
            return [Box((0, 0, *picture.size), 1.0)]
        model, processor = self._detector
        labels = [f"a {category}" for category in categories]
        inputs = processor(images=picture, text=[labels], return_tensors="pt").to(self.settings.device)
        found = processor.post_process_grounded_object_detection(
            model(**inputs),
            threshold=self.settings.detector_threshold,
            target_sizes=[(picture.height, picture.width)],
        )[0]
        pairs = zip(found["boxes"].tolist(), found["scores"].tolist(), strict=True)
        return sorted((Box(tuple(edges), score) for edges, score in pairs), key=lambda box: -box.score)

    @torch.no_grad()
    def segment(self, picture: Image.Image, box: Box) -> Bool[np.ndarray, "height width"]:
        """Outline the object in a box."""
        if not self.settings.segmenter:
            left, top, right, bottom = (round(edge) for edge in box.edges)
            mask = np.zeros(picture.size[::-1], dtype=bool)
            mask[max(0, top) : bottom, max(0, left) : right] = True
            return mask
        model, processor = self._segmenter
        inputs = processor(images=picture, input_boxes=[[list(box.edges)]], return_tensors="pt")
        output = model(**inputs.to(self.settings.device), multimask_output=False)
        masks = processor.post_process_masks(
            output.pred_masks.cpu(), inputs["original_sizes"].cpu(), inputs["reshaped_input_sizes"].cpu()
        )
        return np.asarray(masks[0][0, 0], dtype=bool)

    @cached_property
    def _clip(self) -> tuple[Any, Any, Any]:
        source = self.settings.clip
        model = self._load(AutoModel, source)
        words = _there(AutoTokenizer, source) if hasattr(model, "get_text_features") else None
        return model, _image_processor(source), words

    @cached_property
    def _dino(self) -> tuple[Any, Any]:
        return self._load(AutoModel, self.settings.dino), _image_processor(self.settings.dino)

    @cached_property
    def _detector(self) -> tuple[Any, Any]:
        source = self.settings.detector
        return self._load(AutoModelForZeroShotObjectDetection, source), _there(AutoProcessor, source)

    @cached_property
    def _segmenter(self) -> tuple[Any, Any]:
        source = self.settings.segmenter
        return self._load(SamModel, source), _there(AutoProcessor, source)

    def _load(self, kind: Any, source: str) -> Any:
        return _there(kind, source).to(self.settings.device).eval()


@cache
def encoders_for(settings: PeerSettings) -> Encoders:
    """Share loaded encoders between methods."""
    return Encoders(settings)


FEATURE_MAP = 4  # dimensions of what convolutional networks give: image, channel, row, column


def _image_processor(source: str) -> Any:
    return _there(AutoImageProcessor, source, backend="pil")


def _there(kind: Any, source: str, **options: Any) -> Any:
    try:
        return kind.from_pretrained(source, **options)
    except (OSError, ImportError, ValueError) as error:
        raise BackboneError(
            f"{source} is not here ({type(error).__name__}); download it, or name another checkpoint in --peers"
        ) from error


def _vector(output: Any) -> Vector:
    """Take the embedding of the only image or text, whatever this version of transformers wraps it in."""
    tensor: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return tensor[0].float()


def _patches(states: Tensor, rows: int) -> Float[Tensor, "patch dim"]:
    """Take the patches of the only image: all of a feature map, of a sequence the last `rows` x `rows` (0: all)."""
    return states[0].flatten(1).T if states.ndim == FEATURE_MAP else states[0, -rows * rows :]


def _inside(mask: Bool[np.ndarray, "height width"], rows: int) -> Bool[Tensor, " patch"]:
    """Say which patches are mostly under the mask; the best covered one if none is."""
    share = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(mask).float()[None], rows).flatten()
    inside = share >= 0.5
    return inside if inside.any() else share == share.max()
