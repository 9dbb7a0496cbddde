"""What can go wrong between a name and a ready model -> one kind of error, with advice that fits the cause."""

import errno
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import transformers
from safetensors import SafetensorError

from ego.backbones.out_of_memory import explained_memory
from ego.errors import BackboneError, EgoError, InputError

PACKAGES = {
    "num2words": 'pip install "ego-vlm[smolvlm]" (num2words)',
    "torchvision": "pip install torchvision, in the version that belongs to the installed torch",
    "timm": "pip install timm",
    "bitsandbytes": "pip install bitsandbytes",
    "torchao": "pip install torchao",
    "gptqmodel": "pip install gptqmodel",
    "autoawq": "pip install autoawq",
    "awq": "pip install autoawq",
    "compressed_tensors": "pip install compressed-tensors",
    "flash_attn": 'pip install flash-attn, or leave attention="flash_attention_2" out',
    "sentencepiece": "pip install sentencepiece",
    "tiktoken": "pip install tiktoken",
    "mistral_common": "pip install mistral-common",
    "peft": "pip install peft",
}
"""What brings a package that some models need, by a word of the message that misses it."""
HUB_CAUSES = {
    "GatedRepoError": "the model is gated: accept its licence on its page and log in (hf auth login)",
    "RepositoryNotFoundError": "the hub has no such model, or it is private: check the spelling, or log in",
    "RevisionNotFoundError": "the model has no such revision: check the branch, tag or commit",
    "OfflineModeIsEnabled": "downloads are switched off (HF_HUB_OFFLINE): give a local folder or a model that was "
    "downloaded before",
    "LocalEntryNotFoundError": "the hub cannot be reached, and the model was not downloaded before: check the network, "
    "or give a local folder",
}
"""Kinds of errors of the hub's client, and what to do."""
SHAPES = "ignore_mismatched_sizes"
FULL = re.compile(r"out of memory|not enough memory|can't allocate|cannot allocate", re.IGNORECASE)


def require_model_folder(model_id: str) -> None:
    """See that something that can only be a path is a folder with a model in it; names of the hub pass.

    Raises:
        BackboneError: If it is not; the message says what it is instead.
    """
    try:
        path = Path(model_id).expanduser()
        is_there = path.exists()
    except (OSError, RuntimeError) as cause:  # too long, in a folder that is closed, or below the home of nobody
        raise BackboneError(f"{model_id} cannot be opened ({cause}); check the path") from cause
    if not is_there:
        if _is_path(model_id):
            raise BackboneError(f"{model_id} is no folder here; check the path, or give the name of a model on the hub")
        return
    if path.is_file():
        raise BackboneError(f"{model_id} is a file; give the folder that holds the model's config.json")
    if path.is_dir() and not (path / "config.json").is_file():
        raise BackboneError(f"{model_id} {_instead_of_a_model(path)}")


def _is_path(model_id: str) -> bool:
    """Tell a path from a name on the hub, which is one word or two with a slash between them."""
    return model_id.startswith(("/", ".", "~")) or "\\" in model_id or model_id.count("/") > 1


def _instead_of_a_model(folder: Path) -> str:
    adapter = folder / "adapter_config.json"
    if not adapter.is_file():
        return "has no config.json; give the folder of a whole model, as transformers saves it"
    try:
        base = json.loads(adapter.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (ValueError, OSError, AttributeError):
        base = None
    return (
        f"holds an adapter, no model; it belongs to {base or 'a base model that it does not name'}. Load that one, or "
        "merge the adapter into it (peft: merge_and_unload, save_pretrained) and give the folder of the merged model"
    )


@contextmanager
def explained_loading(model_id: str) -> Iterator[None]:
    """Turn whatever is raised on the way to a ready model into one error with advice."""
    try:
        with explained_memory():
            yield
    except InputError as cause:  # of an image of Ego's own, so it is not the image's fault
        reason = _first_line(cause.__cause__ or cause)
        raise BackboneError(
            f"{model_id} could not be loaded: its processor does not take a plain image: {reason} Its settings, "
            "tokenizer and config.json do not belong together; download or copy the whole model again"
        ) from cause
    except EgoError:
        raise
    except (SafetensorError, UnpicklingError) as cause:
        raise _damaged(model_id, cause) from cause
    except MemoryError as cause:
        raise _full(model_id) from cause
    except ImportError as cause:
        raise BackboneError(
            f"{model_id} needs a package that is not installed: {_first_line(cause)} {_package(cause)}"
        ) from cause
    except OSError as cause:
        raise _unreadable(model_id, cause) from cause
    except Exception as cause:  # whatever a damaged file leads to, in transformers, tokenizers or their validators
        if FULL.search(str(cause)):
            raise _full(model_id) from cause
        if SHAPES in str(cause):
            raise BackboneError(
                f"the weights of {model_id} have other shapes than config.json says; they do not belong together. "
                "Download or copy the whole model again"
            ) from cause
        if _package(cause):
            raise BackboneError(f"{model_id} needs a package: {_first_line(cause)} {_package(cause)}") from cause
        raise BackboneError(
            f"{model_id} could not be loaded: {_first_line(cause)} It must be a complete image-text model that "
            f"transformers {transformers.__version__} knows by itself; code that comes with a model is never run"
        ) from cause


def _unreadable(model_id: str, cause: OSError) -> BackboneError:
    advice = next((HUB_CAUSES[name] for name in _kinds(cause) if name in HUB_CAUSES), None)
    if cause.errno == errno.ENOSPC:
        advice = "the disk is full: make room for the download"
    if cause.errno in (errno.EACCES, errno.EPERM):
        advice = "the files may not be read: check their permissions"
    if advice is None and Path(model_id).expanduser().is_dir():
        advice = "a file of the folder is missing or damaged: download or copy the whole model again"
    return BackboneError(
        f"{model_id} could not be loaded: {_first_line(cause)} "
        + _sentence(
            advice
            or "check the spelling; without network, give a local folder or a model that was downloaded before; for a "
            "gated model, accept its licence and log in"
        )
    )


def _damaged(model_id: str, cause: SafetensorError | UnpicklingError) -> BackboneError:
    return BackboneError(
        f"the weights of {model_id} are damaged or incomplete: {_first_line(cause)} Download or copy them again"
    )


def _full(model_id: str) -> BackboneError:
    return BackboneError(
        f"there is not enough memory for {model_id}; use a smaller model, dtype bfloat16, a quantized checkpoint, or "
        "device_map='auto' over several devices"
    )


def _kinds(cause: BaseException | None) -> Iterator[str]:
    """Name the classes of an error and of what led to it."""
    while cause is not None:
        yield from (kind.__name__ for kind in type(cause).__mro__)
        cause = cause.__cause__ or cause.__context__


def _package(cause: BaseException) -> str:
    """Say how to install what an error misses; empty if it names no package."""
    message = str(cause).lower().replace("-", "_")
    missing = cause.name if isinstance(cause, ImportError) else None
    words = {missing.split(".")[0]} if isinstance(missing, str) else set()
    known = next((name for name in PACKAGES if name in words or re.search(rf"\b{name}\b", message)), None)
    if known is None or not (isinstance(cause, ImportError) or "install" in message or "requires" in message):
        return f"Install it: pip install {missing}" if isinstance(missing, str) and missing else ""
    return f"Install it: {PACKAGES[known]}"


def _first_line(cause: BaseException) -> str:
    """Take the first line of a message, without the beginning of a sentence that goes on in the next one."""
    lines = [line.strip() for line in str(cause).strip().splitlines() if line.strip()] or [type(cause).__name__]
    if lines[0].endswith(":") and lines[1:]:
        lines[0] += f" {lines[1]}"
    whole = lines[0] if lines[0].endswith((".", "!", "?")) or ". " not in lines[0] else lines[0].rpartition(". ")[0]
    return whole.rstrip(".") + "."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
