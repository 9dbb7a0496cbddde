"""The JSON header of a memory file, as docs/memory-format.md describes it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ego.memory import Fingerprint, ViewRecord

UNSIGNED = "0" * 64  # stands in the place of the checksum while it is computed


class MemoryHeader(BaseModel):
    """The JSON header; field order is file order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["ego-memory"] = "ego-memory"
    version: Literal[1] = 1
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
