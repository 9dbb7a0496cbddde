"""What a caller says, whatever protocol it came in, and what the engine answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from PIL import Image

from ego.errors import InputError

Content: TypeAlias = str | Image.Image


@dataclass(frozen=True, eq=False)
class Message:
    """What one speaker says: words and pictures in order."""

    role: Literal["system", "user", "assistant"]
    content: tuple[Content, ...]


@dataclass(frozen=True)
class Wanted:
    """How the caller wants the answer.

    Attributes:
        max_tokens: Longest answer; None leaves it to the settings.
        stop: Texts that end the answer, not part of it.
        names: Concepts that may enter the prompt; None: all of the owner's.
        logprobs: How many alternatives to each token; None: no probabilities.
        schema: JSON schema of the answer; None: free text.
        sampling: temperature, top_p, seed and the like, for engines that sample.
    """

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    logprobs: int | None = None
    schema: dict[str, Any] | None = None
    sampling: tuple[tuple[str, float | int], ...] = ()


@dataclass(frozen=True)
class Reply:
    """A whole answer.

    Attributes:
        text: What the model said.
        finish: Why it ended: it was done or met a stop text, or it was cut off.
        prompt_tokens: Length of the prompt.
        answer_tokens: Length of the answer.
        cached_tokens: Tokens of the prompt that the engine did not have to read again.
        used: Concepts in the prompt.
        dropped: Concepts that the filter left out.
        mentioned: Concepts of the prompt that the answer names.
        logprobs: Probabilities of the tokens in OpenAI's form; None where not asked for.
    """

    text: str
    finish: Literal["stop", "length"]
    prompt_tokens: int
    answer_tokens: int
    cached_tokens: int
    used: tuple[str, ...]
    dropped: tuple[str, ...]
    mentioned: tuple[str, ...]
    logprobs: list[dict[str, Any]] | None = None

    @property
    def concepts(self) -> dict[str, list[str]]:
        """What a caller learns of the concepts."""
        return {"used": list(self.used), "dropped": list(self.dropped), "mentioned": list(self.mentioned)}


def in_turns(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Bring messages into turns of user and assistant, beginning and ending with the user.

    Chat templates want speakers to take turns, and only some know a system: what the system says begins the first turn
    of the user. Pictures come before the words of their turn, unless words stand between them.

    Raises:
        InputError: If there is nothing to answer.
    """
    rules = [text for message in messages if message.role == "system" for text in _texts(message)]
    turns: list[Message] = []
    for message in messages:
        if message.role == "system" or not message.content:
            continue
        before = turns.pop().content if turns and turns[-1].role == message.role else ()
        turns.append(Message(message.role, (*before, *message.content)))
    if not turns or turns[-1].role != "user" or turns[0].role != "user":
        raise InputError("the conversation must begin and end with a message of the user that says or shows something")
    first = Message("user", (*rules, *turns[0].content)) if rules else turns[0]
    return tuple(_in_order(turn) for turn in (first, *turns[1:]))


def pictures_of(messages: Sequence[Message]) -> tuple[Image.Image, ...]:
    """List all pictures in order."""
    return tuple(part for message in messages for part in message.content if isinstance(part, Image.Image))


def words_of(message: Message) -> str:
    """Join the words of a message."""
    return "\n".join(_texts(message))


def _texts(message: Message) -> list[str]:
    return [part for part in message.content if isinstance(part, str)]


def _in_order(turn: Message) -> Message:
    kinds = "".join("p" if isinstance(part, Image.Image) else "t" for part in turn.content)
    between = "t" in kinds.strip("t") and turn.role == "user"
    if between:
        return turn
    text = words_of(turn)
    return Message(turn.role, (*pictures_of([turn]), *([text] if text else [])))
