"""The JSON header of a memory file, as docs/memory-format.md describes it."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ego.errors import DamagedMemoryError
from ego.limits import MEMORY_HEADER_BYTES
from ego.memory_story import Fingerprint, ViewRecord

VERSION = 2
COMPACT_VERSION: Final = 2  # rows as int8 with scales; all other files are written as version 1
LENGTH_BYTES = 8  # of the safetensors header, little-endian, at the start of the file
UNSIGNED = "0" * 64  # stands in the place of the checksum while it is computed


class MemoryHeader(BaseModel):
    """The JSON header; field order is file order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["ego-memory"] = "ego-memory"
    version: Literal[1, 2] = 1
    sha256: str = UNSIGNED
    name: str
    category: str
    notes: str
    created: str
    grid: tuple[int, int] | None
    fingerprint: Fingerprint
    views: tuple[ViewRecord, ...]


class _Metadata(BaseModel):
    """The metadata of the safetensors header: one entry (HEADER_KEY), since several would come in random order."""

    model_config = ConfigDict(extra="forbid")

    ego: str


class OuterHeader(BaseModel):
    """The part of the safetensors header that is read here; what else it may hold, safetensors knows."""

    metadata: _Metadata = Field(alias="__metadata__")


class AnyVersion(BaseModel):
    """The part of the header that every version has."""

    format: Literal["ego-memory"]
    version: Annotated[int, Field(strict=True)]  # true is no number


def header_text(blob: bytes, label: str) -> str:
    """Find the JSON header at the beginning of a file.

    Raises:
        DamagedMemoryError: If it does not begin like a memory file.
    """
    length = int.from_bytes(blob[:LENGTH_BYTES], "little")
    if length > MEMORY_HEADER_BYTES:
        raise damaged(label, f"its header is larger than {MEMORY_HEADER_BYTES:,} bytes, or it is no memory file")
    try:
        outer = OuterHeader.model_validate_json(blob[LENGTH_BYTES : LENGTH_BYTES + length])
    except ValidationError as error:
        raise damaged(label, "it does not begin like a memory file") from error
    return outer.metadata.ego


def require_version(text: str, label: str) -> None:
    """Refuse a header of another format, or of a later version.

    Raises:
        DamagedMemoryError: If it is one.
    """
    try:
        version = AnyVersion.model_validate_json(text).version
    except ValidationError as error:
        raise damaged(label, "its header is not that of a memory file") from error
    if version > VERSION:
        raise DamagedMemoryError(
            f"{label} has format version {version}, this release reads up to {VERSION}; upgrade ego-vlm"
        )


def read_header(text: str, label: str) -> MemoryHeader:
    """Check the values of a header whose version is right.

    Raises:
        DamagedMemoryError: If one of them is unexpected.
    """
    try:
        return MemoryHeader.model_validate_json(text)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise damaged(label, f"its header has an unexpected value at {place!r}") from error


def damaged(label: str, reason: str) -> DamagedMemoryError:
    """Say what is wrong with a file, and what to do."""
    return DamagedMemoryError(f"{label} is damaged: {reason}; restore it from a copy, or introduce the concept again")
