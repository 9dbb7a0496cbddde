"""ServiceSettings: where the service listens, whom it lets in, and how much it takes on."""

import ipaddress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ego.errors import ConfigError

MEGABYTE = 2**20
PAGE_PATH = "/web"  # of the page for people, where there is one


class ServiceSettings(BaseModel):
    """Settings of one service. Every number is a limit that a request meets as a clear refusal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8321, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    library: Path = Field(description="Folder of concepts: of the one user, or of all owners where there are keys.")
    keys: Path | None = Field(default=None, description="File of keys and their owners; None: one user, no keys.")
    origins: tuple[str, ...] = Field(default=(), description="Web pages that may call from a browser.")
    image_hosts: tuple[str, ...] = Field(default=(), description="Hosts that images may be fetched from.")
    queue: int = Field(default=64, ge=1, description="Most requests that wait for the model; beyond it 429.")
    batch: int = Field(default=8, ge=1, description="Most requests that the model answers together.")
    timeout: float = Field(default=120.0, gt=0, description="Seconds a request may take, waiting included.")
    body_megabytes: int = Field(default=32, ge=1, description="Largest request.")
    image_megapixels: int = Field(default=50, ge=1, description="Largest image, once decoded.")
    images: int = Field(default=16, ge=1, description="Most images of one request.")
    frames: int = Field(default=8, ge=1, description="Frames looked at in a clip.")
    answer_tokens: int = Field(default=1024, ge=1, description="Longest answer that may be asked for, in tokens.")
    concepts: int = Field(default=10_000, ge=1, description="Most concepts of one owner.")
    requests_per_minute: int = Field(default=600, ge=1, description="Requests of one owner; beyond it 429.")

    @property
    def is_private(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def require_safe(self) -> None:
        """Refuse to open concepts of people to a network without keys.

        Raises:
            ConfigError: If the address is reachable from outside and there are no keys.
        """
        if not self.is_private and self.keys is None:
            raise ConfigError(
                f"{self.host} can be reached from other machines, and without keys everyone there could read and "
                "change the concepts; make a key (`ego keys add NAME`) and give --keys, or listen on 127.0.0.1"
            )
