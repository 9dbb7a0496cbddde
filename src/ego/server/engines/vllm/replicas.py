"""Replicas of one vLLM server: every owner keeps to one for the sake of its cache, another steps in when it fails."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import httpx2

from ego.server.failures import EngineError

_log = logging.getLogger(__name__)
CONNECT_SECONDS = 5.0


@dataclass(eq=False)
class Replica:
    """One server.

    Attributes:
        url: Its address, without /v1.
        model: What it calls the model; known once it has been looked at.
        pixels: Whether it takes pictures as pixels beside memories.
        trouble: What keeps it from answering; empty if nothing does.
    """

    url: str
    model: str = ""
    pixels: bool = True
    trouble: str = "not looked at yet"


class Replicas:
    """All servers, in order of preference for each owner."""

    def __init__(self, urls: Sequence[str], key: str, timeout: float) -> None:
        self.all = tuple(Replica(url.rstrip("/").removesuffix("/v1")) for url in urls)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limit = httpx2.Timeout(timeout, connect=CONNECT_SECONDS)
        self.http = httpx2.AsyncClient(headers=headers, timeout=limit, limits=httpx2.Limits(max_connections=None))

    def for_owner(self, owner: str) -> list[Replica]:
        """List the servers that can answer, this owner's own first.

        Raises:
            EngineError: If there is none.
        """
        able = [replica for replica in self.all if not replica.trouble]
        if not able:
            raise EngineError(f"no vLLM server can answer: {self.trouble()}")
        return sorted(able, key=lambda replica: _weight(owner, replica.url), reverse=True)

    def trouble(self) -> str:
        """Say what is wrong with each server that cannot answer."""
        return "; ".join(f"{replica.url}: {replica.trouble}" for replica in self.all if replica.trouble)

    def failed(self, replica: Replica, reason: str) -> None:
        """Leave a server out until it has been found in order again."""
        if not replica.trouble:
            _log.warning("vLLM server %s is left out: %s", replica.url, reason)
        replica.trouble = reason

    async def alive(self, replica: Replica) -> bool:
        """Ask a server whether it is there."""
        try:
            response = await self.http.get(f"{replica.url}/health", timeout=CONNECT_SECONDS)
        except httpx2.HTTPError as error:
            self.failed(replica, f"it cannot be reached ({type(error).__name__})")
            return False
        if response.status_code != httpx2.codes.OK:
            self.failed(replica, f"its health is {response.status_code}")
        return response.status_code == httpx2.codes.OK

    async def close(self) -> None:
        """Close all connections."""
        await self.http.aclose()


def salt(owner: str) -> str:
    """Give what keeps an owner's part of vLLM's cache apart, without telling who it is."""
    return hashlib.sha256(f"ego cache of {owner}".encode()).hexdigest()[:32]


def _weight(owner: str, url: str) -> bytes:
    """Rendezvous hashing: when a server goes, only its own owners move."""
    return hashlib.sha256(f"{owner}\n{url}".encode()).digest()
