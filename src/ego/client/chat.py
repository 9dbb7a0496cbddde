"""A conversation of several turns with a service."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from ego.errors import InputError
from ego.results import Answer

Stream = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]


class RemoteChat:
    """A conversation; the service keeps nothing of it, every turn sends all of it.

    Args:
        stream: Sends a conversation and gives the pieces of the answer.
        picture: What it is about.
        names: Concepts that enter; None: all.
    """

    def __init__(self, stream: Stream, picture: dict[str, Any] | None, names: list[str] | None) -> None:
        self._stream, self._names = stream, names
        self._messages: list[dict[str, Any]] = []
        self._shown = [] if picture is None else [picture]

    def say(self, text: str, *, on_text: Callable[[str], None] | None = None) -> Answer:
        """Say something and get the answer.

        Raises:
            InputError: If the text is empty.
        """
        if not text.strip():
            raise InputError("the question is empty; ask something")
        asked = {"role": "user", "content": [*self._shown, {"type": "text", "text": text}]}
        body = {"model": "ego", "messages": [*self._messages, asked], "stream": True}
        body |= {"stream_options": {"include_usage": True}, "ego": {"concepts": self._names}}
        answer = _collected(self._stream(body), on_text)
        self._messages += [asked, {"role": "assistant", "content": answer.text}]
        self._shown = []
        return answer


def _collected(pieces: Iterator[dict[str, Any]], on_text: Callable[[str], None] | None) -> Answer:
    began, text = time.perf_counter(), ""
    concepts: dict[str, list[str]] = {"used": [], "dropped": [], "mentioned": []}
    prompt_tokens = 0
    for piece in pieces:
        concepts = piece.get("ego", {}).get("concepts", concepts)
        prompt_tokens = (piece.get("usage") or {}).get("prompt_tokens", prompt_tokens)
        for choice in piece["choices"]:
            new = choice["delta"].get("content") or ""
            text += new
            if new and on_text is not None:
                on_text(new)
    used, dropped, mentioned = (tuple(concepts[kind]) for kind in ("used", "dropped", "mentioned"))
    return Answer(text, used, dropped, mentioned, prompt_tokens, time.perf_counter() - began)
