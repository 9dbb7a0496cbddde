"""Turns of a conversation with an owner's memories -> the prompt, as the library itself would ask."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from PIL import Image

from ego.errors import ContextBudgetError
from ego.memory import ConceptMemory
from ego.personalizer import Ego
from ego.prompt import Part, Picture, Prompt, Text, Turn, memory_parts, query_prompt
from ego.server.conversation import Message, pictures_of
from ego.visual_tokens import VisualTokens

Encode: TypeAlias = Callable[[Image.Image], VisualTokens]


def conversation_prompt(memories: Sequence[ConceptMemory], turns: Sequence[Message], encode: Encode) -> Prompt:
    """Put the memories in front of a conversation.

    A first turn of pictures and then words is exactly what `Ego.ask` would build, so that both give the same answer.
    """
    first, *later = turns
    opening = Turn("user", _opening(memories, first, encode))
    rest = [Turn("assistant" if turn.role == "assistant" else "user", _parts(turn, encode)) for turn in later]
    return Prompt((opening, *rest))


def is_plain(turns: Sequence[Message]) -> bool:
    """Say whether all pictures lead the first turn, as in the library's own prompts."""
    first, *later = turns
    count = len(pictures_of([first]))
    return not pictures_of(later) and not any(isinstance(part, str) for part in first.content[:count])


def answer_room(personal: Ego, prompt: Prompt, wanted: int, *, most: int | None = None) -> int:
    """Shorten an answer to what the model can still read; clients ask for thousands of tokens by habit.

    Args:
        personal: Whose model answers.
        prompt: What it is asked.
        wanted: Most tokens of the answer.
        most: Tokens that the engine takes, if these are fewer than the model's.

    Raises:
        ContextBudgetError: If there is no room at all.
    """
    length, context = personal.backbone.count_tokens(prompt), personal.backbone.card.context_length
    context = context if most is None else min(most, context)
    if length >= context:
        raise ContextBudgetError(
            f"the conversation takes {length} tokens, but the model reads {context} at most; use fewer or smaller "
            "images, fewer concepts or a shorter conversation"
        )
    return min(wanted, context - length)


def _opening(memories: Sequence[ConceptMemory], turn: Message, encode: Encode) -> tuple[Part, ...]:
    if not is_plain([turn]):
        return (*memory_parts(memories), *_parts(turn, encode))
    words = "".join(part for part in turn.content if isinstance(part, str))
    return query_prompt(memories, [encode(picture) for picture in pictures_of([turn])], words).turns[0].parts


def _parts(turn: Message, encode: Encode) -> tuple[Part, ...]:
    return tuple(Text(part) if isinstance(part, str) else Picture(encode(part)) for part in turn.content)
