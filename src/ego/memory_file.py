"""ConceptMemory <-> the bytes of one `.ego` file: safetensors with a JSON header and a checksum over every byte.

The format is specified in docs/memory-format.md. Reading runs no code of the file and takes memory in proportion to its
length; everything it says is checked before a memory is made of it.
"""

import hashlib
import re
from datetime import datetime
from itertools import chain
from math import isfinite
from os import PathLike
from typing import Final, Literal

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ego.compact_rows import compacted, restored
from ego.concept import clean_name
from ego.config import StoredType
from ego.errors import ConceptNameError, ConfigError, InputError, MemoryFileError
from ego.limits import MEMORY_BYTES, MEMORY_HEADER_BYTES
from ego.memory import ConceptMemory, ViewRecord
from ego.memory_header import (
    COMPACT_VERSION,
    LENGTH_BYTES,
    UNSIGNED,
    MemoryHeader,
    damaged,
    header_text,
    read_header,
    require_version,
)
from ego.regular_file import open_regular
from ego.visual_tokens import VisualTokens

HEADER_KEY = "ego"
COMPACT: Final = "int8"
FARTHEST_EDGE = 2.0  # of a box, in fractions of the image; padding and rounding put edges a little outside
_CHECKSUM = re.compile(rb'\\"sha256\\":\\"([0-9a-f]{64})\\"')
_ROW_TYPES = frozenset({torch.bfloat16, torch.float16, torch.float32})
_LAYOUT = {  # tensor -> its types and axes; a word is a size that all tensors share
    "rows": (_ROW_TYPES, ("visual", "dim")),
    "deepstack": (_ROW_TYPES, ("level", "visual", "dim")),
    "boxes": ({torch.float32}, ("visual", 4)),
    "view": ({torch.int64}, ("visual",)),
    "spatial": ({torch.bool}, ("visual",)),
    "grid_position": ({torch.int64}, ("visual", 2)),
    "thumbnail": ({torch.uint8}, ("bytes",)),
}
_COMPACT_LAYOUT = _LAYOUT | {
    "rows": ({torch.int8}, ("visual", "dim")),
    "row_scales": ({torch.float32}, ("visual",)),
    "deepstack": ({torch.int8}, ("level", "visual", "dim")),
    "deepstack_scales": ({torch.float32}, ("level", "visual")),
}
_ALWAYS = {"rows", "view", "spatial"}
_SCALES = {"rows": "row_scales", "deepstack": "deepstack_scales"}


def dump(memory: ConceptMemory, stored_type: StoredType | None = None) -> bytes:
    """Write a memory as the bytes of a file; the same memory always gives the same bytes.

    Args:
        memory: What to write, on any device.
        stored_type: Number format of the rows; None leaves them as they are in the file they came from, if any.

    Raises:
        ConfigError: If rows are too large for the number format.
        MemoryFileError: If the memory contradicts itself, or is larger than what `load` reads.
    """
    stored_type = stored_type or memory.stored_type
    if stored_type == COMPACT:
        header, tensors = _header(memory, COMPACT_VERSION), _compacted(_tensors(memory))
    else:
        header, tensors = _header(memory), _tensors(_converted(memory, stored_type))
    problem = _contradiction(header, tensors)
    if problem:
        raise MemoryFileError(f"the memory of {memory.name!r} cannot be stored: {problem}")
    blob = safetensors.torch.save(tensors, {HEADER_KEY: header.model_dump_json()})
    if int.from_bytes(blob[:LENGTH_BYTES], "little") > MEMORY_HEADER_BYTES or len(blob) > MEMORY_BYTES:
        raise MemoryFileError(f"the memory of {memory.name!r} is too large to be stored; give fewer reference images")
    return blob.replace(UNSIGNED.encode(), hashlib.sha256(blob).hexdigest().encode(), 1)


def load(source: bytes | str | PathLike[str]) -> ConceptMemory:
    """Read a memory, from a file or its bytes; rows on the CPU, in the number format they were stored in.

    Raises:
        DamagedMemoryError: If it is no memory file, altered, truncated, of a newer version, or contradicts itself.
        InputError: If the file cannot be opened, is empty or too large, or is no regular file.
    """
    label = "the memory" if isinstance(source, bytes) else str(source)
    blob = source if isinstance(source, bytes) else _read(source)
    header = _checked_header(blob, label)
    try:
        tensors = safetensors.torch.load(blob)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise damaged(label, f"its tensors cannot be read ({error!r})") from error
    problem = _contradiction(header, tensors)
    if problem:
        raise damaged(label, problem)
    return _memory(header, tensors)


def _read(path: str | PathLike[str]) -> bytes:
    with open_regular(path, largest=MEMORY_BYTES, refuse=InputError) as file:
        return file.read(MEMORY_BYTES)  # not more, if it grows meanwhile


def _checked_header(blob: bytes, label: str) -> MemoryHeader:
    """Read the JSON header of a file whose version and checksum are right."""
    text = header_text(blob, label)
    require_version(text, label)
    if _checksum_written(blob) != _checksum_computed(blob):
        raise damaged(label, "its checksum does not match its content")
    return read_header(text, label)


def _checksum_written(blob: bytes) -> str:
    found = _CHECKSUM.search(blob)
    return found[1].decode() if found else ""


def _checksum_computed(blob: bytes) -> str:
    """Hash the whole file with zeros in the place of the checksum, without a copy of it."""
    found = _CHECKSUM.search(blob)
    start, end = found.span(1) if found else (0, 0)
    digest = hashlib.sha256(memoryview(blob)[:start])
    digest.update(UNSIGNED.encode() if found else b"")
    digest.update(memoryview(blob)[end:])
    return digest.hexdigest()


def _header(memory: ConceptMemory, version: Literal[1, 2] = 1) -> MemoryHeader:
    return MemoryHeader(
        version=version,
        name=memory.name,
        category=memory.category,
        notes=memory.notes,
        created=memory.created,
        grid=memory.tokens.grid,
        fingerprint=memory.fingerprint,
        views=memory.views,
    )


def _converted(memory: ConceptMemory, stored_type: StoredType | None) -> ConceptMemory:
    if stored_type is None:
        return memory
    stored = memory.on(getattr(torch, stored_type))
    if _finite(memory.tokens.rows, memory.tokens.deepstack) and not _finite(
        stored.tokens.rows, stored.tokens.deepstack
    ):
        raise ConfigError(f"rows of {memory.name!r} are too large for {stored_type}; store them as bfloat16")
    return stored


def _finite(*tensors: Tensor) -> bool:
    """Look at a million numbers at a time: `isfinite` makes copies of what it looks at."""
    pieces = chain.from_iterable(torch.split(tensor.reshape(-1), 2**20) for tensor in tensors)
    return all(bool(piece.isfinite().all()) for piece in pieces)


def _tensors(memory: ConceptMemory) -> dict[str, Tensor]:
    """Name the tensors of the file; what a family does not have is left out."""
    tokens, thumbnail = memory.tokens, memory.thumbnail
    named = {
        "rows": tokens.rows,
        "deepstack": tokens.deepstack if len(tokens.deepstack) else None,
        "boxes": None if tokens.boxes is None else tokens.boxes.float(),
        "view": tokens.view.long(),
        "spatial": tokens.spatial,
        "grid_position": None if tokens.grid_position is None else tokens.grid_position.long(),
        "thumbnail": torch.frombuffer(bytearray(thumbnail), dtype=torch.uint8) if thumbnail else None,
    }
    return {name: tensor.cpu().contiguous() for name, tensor in named.items() if tensor is not None}


def _compacted(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Write features as int8 with a scale for each row."""
    compact = dict(tensors)
    for name, scales in _SCALES.items():
        if name in tensors and _finite(tensors[name]):
            compact[name], compact[scales] = compacted(tensors[name])
    return compact


def _restored(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Bring features of a compact file back to float32."""
    found = {name: scales for name, scales in _SCALES.items() if scales in tensors}
    return tensors | {name: restored(tensors[name], tensors[scales]) for name, scales in found.items()}


def _memory(header: MemoryHeader, tensors: dict[str, Tensor]) -> ConceptMemory:
    """Put header and tensors, known to fit, together."""
    compact, tensors = header.version == COMPACT_VERSION, _restored(tensors)
    rows, thumbnail = tensors["rows"], tensors.get("thumbnail")
    tokens = VisualTokens(
        rows=rows,
        deepstack=tensors.get("deepstack", rows.new_empty(0, *rows.shape)),
        boxes=tensors.get("boxes"),
        view=tensors["view"],
        spatial=tensors["spatial"],
        grid_position=tensors.get("grid_position"),
        grid=header.grid,
    )
    return ConceptMemory(
        name=header.name,
        category=header.category,
        notes=header.notes,
        tokens=tokens,
        views=header.views,
        fingerprint=header.fingerprint,
        created=header.created,
        thumbnail=None if thumbnail is None else thumbnail.numpy().tobytes(),
        stored_type=COMPACT if compact else None,
    )


def _contradiction(header: MemoryHeader, tensors: dict[str, Tensor]) -> str:
    """Say what does not fit together; empty if everything does."""
    problem = _tensor_problem(tensors, header) or _text_problem(header)
    if problem:
        return problem
    count, kept = len(tensors["rows"]), sum(len(view.kept) for view in header.views)
    if count != kept:
        return f"{count} rows for {kept} kept tokens"
    return next(filter(None, map(_view_problem, header.views)), "")


def _tensor_problem(tensors: dict[str, Tensor], header: MemoryHeader) -> str:
    compact = header.version == COMPACT_VERSION
    layout = _COMPACT_LAYOUT if compact else _LAYOUT
    scaled = {scales for name, scales in _SCALES.items() if compact and name in tensors}
    if not tensors.keys() >= _ALWAYS | scaled or not tensors.keys() <= layout.keys():
        return f"it holds the tensors {', '.join(sorted(tensors))}"
    sizes: dict[str | int, int] = {"dim": header.fingerprint.dim}
    for name, tensor in tensors.items():
        types, axes = layout[name]
        shape = tuple(tensor.shape)
        fits = len(shape) == len(axes) and all(
            size == (axis if isinstance(axis, int) else sizes.setdefault(axis, size))
            for axis, size in zip(axes, shape, strict=True)
        )
        if not fits or tensor.dtype not in types or 0 in shape or not _finite(tensor):
            return f"tensor {name!r} has an unexpected type, shape ({shape}) or value"
    return "" if all(bool((tensors[scales] > 0).all()) for scales in scaled) else "a scale of a row is not positive"


def _text_problem(header: MemoryHeader) -> str:
    try:
        if clean_name(header.name) != header.name:
            return f"its name {header.name!r} is not in normal form"
        if datetime.fromisoformat(header.created).utcoffset() is None:
            return f"its time {header.created!r} has no time zone"
    except (ConceptNameError, ValueError) as error:
        return str(error)
    return ""


def _view_problem(view: ViewRecord) -> str:
    if not all(0 <= position < view.candidates for position in view.kept):
        return "a kept position lies outside the image"
    if len(view.boxes) not in (0, view.candidates) or len(view.importance) != view.candidates:
        return f"boxes or importances are not one for each of {view.candidates} visual tokens"
    if not all(map(isfinite, chain(view.importance, (view.seconds, view.area_percent or 0.0)))):
        return "a number of a view is not finite"
    if not all(abs(edge) <= FARTHEST_EDGE for edge in chain.from_iterable(view.boxes)):
        return "a box is not in fractions of the image"
    return ""
