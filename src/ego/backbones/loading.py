"""Name or folder -> a ready backbone; everything that can go wrong on the way says what to do."""

import os
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from ego.backbones.assembly import MemoryPositions
from ego.backbones.families import family_of
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.out_of_memory import explained_memory
from ego.backbones.parity import require_parity
from ego.backbones.processors import load_processor
from ego.backbones.self_check import check
from ego.errors import BackboneError

EMBEDDED = "mini"
EMBEDDED_FOLDER_VARIABLE = "EGO_MINI"
EMBEDDED_FOLDER = Path(__file__).parent / EMBEDDED
NEEDED_FILES = ("config.json", "model.safetensors")


def load(
    id_or_path: str | Path,
    *,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
    device_map: str | dict[str, Any] | None,
    revision: str | None,
    max_visual_tokens: int | None,
    positions: MemoryPositions,
    self_check: bool,
) -> HuggingFaceBackbone:
    """Load a model; see `ego.backbones.load_backbone`."""
    model_id, source = str(id_or_path), checkpoint_source(str(id_or_path))
    target = None if device_map is not None else _device(device)
    if device is not None and device_map is not None:
        raise BackboneError("device and device_map exclude each other; give one of them")
    hub = {"revision": revision or "main", "trust_remote_code": False}
    config = _read(model_id, lambda: AutoConfig.from_pretrained(source, **hub))
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise BackboneError(
            f"{model_id} is a {config.model_type!r} model, which does not read images and text together; "
            "`ego models` lists models that do"
        )
    options = {"dtype": _dtype(dtype, target), "device_map": device_map, **hub}
    processor = _read(model_id, lambda: load_processor(source, config, **hub))
    model = _read(model_id, lambda: AutoModelForImageTextToText.from_pretrained(source, config=config, **options))
    with explained_memory():
        model = (model if target is None else model.to(target)).eval()
    backbone = HuggingFaceBackbone(
        model,
        processor,
        model_id=model_id,
        family=family_of(config.model_type),
        revision=getattr(config, "_commit_hash", None) or "",
        max_visual_tokens=max_visual_tokens,
        positions=positions,
    )
    if self_check:
        require_parity(backbone)
        check(backbone)
    return backbone


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


def _read(model_id: str, load_it: Any) -> Any:
    """Turn what `from_pretrained` raises into one error with advice."""
    try:
        with explained_memory():
            return load_it()
    except SafetensorError as cause:
        raise BackboneError(
            f"the weights of {model_id} are damaged or incomplete: {_first_line(cause)} Download or copy them again"
        ) from cause
    except OSError as cause:
        raise BackboneError(
            f"{model_id} could not be loaded: {_first_line(cause)} Check the spelling; without network, give a local "
            "folder or a model that was downloaded before; for a gated model, accept its licence and log in"
        ) from cause
    except ImportError as cause:
        raise BackboneError(
            f"{model_id} needs a package that is not installed: {_first_line(cause)} "
            "SmolVLM needs ego-vlm[smolvlm] (num2words), device_map needs ego-vlm[accelerate]"
        ) from cause
    except (ValueError, KeyError, AttributeError, RuntimeError) as cause:
        raise BackboneError(
            f"{model_id} could not be loaded: {_first_line(cause)} It must be a complete image-text model that "
            f"transformers {transformers.__version__} knows by itself; code that comes with a model is never run"
        ) from cause


def _first_line(cause: BaseException) -> str:
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0].rstrip(".") + "."
