"""Name or folder -> a ready backbone; everything that can go wrong on the way says what to do."""

import logging
import os
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from ego.backbones.assembly import MemoryPositions
from ego.backbones.families import REFUSED, family_of
from ego.backbones.hub import hub_options
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.loading_errors import explained_loading, require_model_folder
from ego.backbones.missing_weights import require_unused, take_away_missing
from ego.backbones.parity import require_parity
from ego.backbones.processors import load_processor
from ego.backbones.self_check import check, settle_thoughts
from ego.backbones.video_check import settle_videos
from ego.errors import BackboneError

EMBEDDED = "mini"
EMBEDDED_FOLDER_VARIABLE = "EGO_MINI"
EMBEDDED_FOLDER = Path(__file__).parent / EMBEDDED
NEEDED_FILES = ("config.json", "model.safetensors")
SDPA = "sdpa"
_log = logging.getLogger(__name__)


def load(  # noqa: PLR0913  (what a caller may choose)
    id_or_path: str | Path,
    *,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
    device_map: str | dict[str, Any] | None,
    revision: str | None,
    max_visual_tokens: int | None,
    positions: MemoryPositions,
    self_check: bool,
    attention: str | None = None,
) -> HuggingFaceBackbone:
    """Load a model; see `ego.backbones.load_backbone`."""
    model_id, source = str(id_or_path), checkpoint_source(str(id_or_path))
    if device is not None and device_map is not None:
        raise BackboneError("device and device_map exclude each other; give one of them")
    target = None if device_map is not None else _device(device)
    require_model_folder(source)
    with explained_loading(model_id):
        hub = hub_options(source, revision)
        config = AutoConfig.from_pretrained(source, **hub)
        _require_images_and_text(model_id, config)
        processor = load_processor(source, config, **hub)
        placed = _straight_to(target) if device_map is None else {"device_map": device_map}
        options = {"dtype": _dtype(dtype, target), **placed, **_attention(config, attention), **hub}
        _log.info("loading %s", model_id)
        model, found = AutoModelForImageTextToText.from_pretrained(
            source, config=config, output_loading_info=True, **options
        )
        missing = take_away_missing(model_id, model, found) if self_check else []
        backbone = HuggingFaceBackbone(
            model.eval(),
            processor,
            model_id=model_id,
            family=family_of(config.model_type),
            revision=getattr(config, "_commit_hash", None) or "",
            max_visual_tokens=max_visual_tokens,
            positions=positions,
            found=found,
        )
        _require_an_end(backbone)
        if self_check:
            require_unused(backbone, missing)
            require_parity(backbone)
            check(backbone)
            settle_videos(backbone)
            settle_thoughts(backbone)
        return backbone


def _require_images_and_text(model_id: str, config: Any) -> None:
    reason = REFUSED.get(config.model_type)
    if reason is not None:
        raise BackboneError(f"{model_id} is a {config.model_type!r} model, which Ego does not support: {reason}")
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise BackboneError(
            f"{model_id} is a {config.model_type!r} model, which does not read images and text together; "
            "`ego models` lists models that do"
        )


def _require_an_end(backbone: HuggingFaceBackbone) -> None:
    if not backbone.end_tokens:
        raise BackboneError(
            f"{backbone.card.model_id} names no token that ends an answer, so none would; it belongs into "
            "generation_config.json (eos_token_id) or tokenizer_config.json (eos_token)"
        )


def _straight_to(device: torch.device | None) -> dict[str, Any]:
    """Let every weight go to an accelerator as it is read, so that the host holds no copy of the model."""
    return {} if device is None or device.type == "cpu" else {"device_map": {"": device}}


def _attention(config: Any, chosen: str | None) -> dict[str, Any]:
    """Choose the attention of the language model: the caller's, else the checkpoint's own choice, else sdpa."""
    own = getattr(config.get_text_config(), "_attn_implementation_internal", None)
    return {} if chosen is None and own is not None else {"attn_implementation": {"text_config": chosen or SDPA}}


def hide_progress() -> None:
    """Draw no bars while models load; for the whole process."""
    transformers.utils.logging.disable_progress_bar()


def checkpoint_source(model_id: str) -> str:
    """Find the embedded model's folder; leave every other name as it is."""
    if model_id != EMBEDDED:
        return model_id
    folder = Path(os.environ.get(EMBEDDED_FOLDER_VARIABLE) or EMBEDDED_FOLDER)
    missing = [name for name in NEEDED_FILES if not (folder / name).is_file()]
    if missing:
        raise BackboneError(
            f"the embedded model is not here: {folder} has no {' and no '.join(missing)}; reinstall the package, "
            f"set {EMBEDDED_FOLDER_VARIABLE} to a folder that has it, or choose another model (`ego models`)"
        )
    return str(folder)


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        target = torch.device(device)
    except RuntimeError as cause:
        raise BackboneError(f"{device!r} is no device; use cpu, cuda, cuda:0, mps") from cause
    if target.type == "cuda" and (target.index or 0) >= torch.cuda.device_count():
        raise BackboneError(
            f"{target} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices; "
            'use device="cpu", or install a CUDA build of torch'
        )
    if target.type == "mps" and not torch.backends.mps.is_available():
        raise BackboneError('mps was asked for, but is not available here; use device="cpu"')
    if target.type not in {"cpu", "cuda", "mps"}:
        _require_computing(target)
    return target


def _require_computing(target: torch.device) -> None:
    """Refuse a kind of device that this torch knows by name only, or that holds no numbers (meta)."""
    try:
        usable = float(torch.ones(1, device=target).sum()) == 1.0
    except (RuntimeError, NotImplementedError, AssertionError):  # which one depends on the kind
        usable = False
    if not usable:
        raise BackboneError(f"{target} was asked for, but this torch cannot compute there; use cpu, cuda, cuda:0, mps")


def _dtype(dtype: str | torch.dtype | None, device: torch.device | None) -> torch.dtype | str:
    """Choose bfloat16 for accelerators and float32 for the CPU, unless told otherwise."""
    if dtype is None:
        return torch.float32 if device is not None and device.type == "cpu" else torch.bfloat16
    if dtype == "auto":
        return "auto"
    known = dtype if isinstance(dtype, torch.dtype) else getattr(torch, dtype, None)
    if not (isinstance(known, torch.dtype) and known.is_floating_point):
        raise BackboneError(f"{dtype!r} is no number format of a model; use bfloat16, float16, float32 or auto")
    return known
