"""Listen to an answer as it appears: pass it on, end it at a stop text, and make the reply of what was heard."""

from collections.abc import Callable, Sequence

from ego.answer import mentions
from ego.server.conversation import Reply


class MetStopError(Exception):
    """A stop text has appeared; what was before it is the whole answer."""


class Listener:
    """Passes pieces of text on, never a part of a stop text.

    Args:
        stop: Texts that end the answer.
        emit: Gets each piece.
    """

    def __init__(self, stop: Sequence[str], emit: Callable[[str], None]) -> None:
        self._stop, self._emit = tuple(text for text in stop if text), emit
        self.text, self._held, self.pieces = "", "", 0

    def hear(self, piece: str) -> None:
        """Take the next piece.

        Raises:
            MetStopError: If a stop text is complete.
        """
        self.pieces += 1
        heard = self._held + piece
        ends = [heard.find(text) for text in self._stop if text in heard]
        if ends:
            self._pass(heard[: min(ends)])
            raise MetStopError
        unsure = max((_overlap(heard, text) for text in self._stop), default=0)
        self._held = heard[len(heard) - unsure :]
        self._pass(heard[: len(heard) - unsure])

    def finish(self) -> None:
        """Pass on what was held back; the answer has ended by itself."""
        self._pass(self._held)

    def _pass(self, text: str) -> None:
        if text:
            self.text += text
            self._emit(text)


def reply_of(
    listener: Listener,
    used: tuple[str, ...],
    dropped: tuple[str, ...],
    *,
    prompt_tokens: int,
    answer_tokens: int,
    cut: bool,
    cached_tokens: int = 0,
) -> Reply:
    """Make the reply of an answer that is over.

    Args:
        listener: Has heard it.
        used: Concepts in the prompt.
        dropped: Concepts that were left out of it.
        prompt_tokens: Length of the prompt.
        answer_tokens: Length of the answer.
        cut: Whether there was no room for more.
        cached_tokens: Tokens of the prompt that were not read again.
    """
    return Reply(
        text=listener.text,
        finish="length" if cut else "stop",
        prompt_tokens=prompt_tokens,
        answer_tokens=answer_tokens,
        cached_tokens=cached_tokens,
        used=used,
        dropped=dropped,
        mentioned=tuple(name for name in used if mentions(listener.text, name)),
    )


def _overlap(text: str, stop: str) -> int:
    """Longest end of `text` that a stop text begins with."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
