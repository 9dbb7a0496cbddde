"""Engine: the contract between the service and what answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ego.personalizer import Ego
from ego.server.conversation import Message, Reply, Wanted
from ego.server.failures import RefusedError


@dataclass(frozen=True)
class Offers:
    """What not every engine can do.

    Attributes:
        logprobs: Probabilities of the tokens of an answer.
        schema: Answers that keep to a JSON schema.
    """

    logprobs: bool
    schema: bool

    def require(self, wanted: Wanted, engine: str) -> None:
        """Refuse what the engine cannot do, rather than leave it out silently.

        Raises:
            RefusedError: If more is wanted than it offers.
        """
        if wanted.logprobs is not None and not self.logprobs:
            raise RefusedError(f"the engine {engine} gives no logprobs; leave them out, or run the service with vLLM")
        if wanted.schema is not None and not self.schema:
            raise RefusedError(
                f"the engine {engine} cannot keep an answer to JSON; leave the format out, or run the service with vLLM"
            )


class Engine(Protocol):
    """Answers conversations."""

    name: str
    offers: Offers

    async def start(self) -> None:
        """Begin, in the loop of the service."""
        ...

    async def reply(
        self, owner: str, personal: Ego, turns: Sequence[Message], wanted: Wanted, emit: Callable[[str], None]
    ) -> Reply:
        """Answer; `emit` gets every piece of the text, in the loop of the caller. Cancelling ends the work."""
        ...

    async def trouble(self) -> str:
        """Say what keeps it from answering; empty if nothing does."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...
