"""Chat: several turns about one scene; every turn sees all turns before it."""

from collections.abc import Callable

from ego.concept import require_characters
from ego.errors import InputError
from ego.prompt import Prompt
from ego.results import Answer
from ego.scene import Scene


class Chat:
    """A conversation. Memories and image are read once, when it begins."""

    def __init__(self, scene: Scene, max_new_tokens: int) -> None:
        self._scene, self._max_new_tokens = scene, max_new_tokens
        self._last: tuple[Prompt, str] | None = None

    def say(self, text: str, *, on_text: Callable[[str], None] | None = None) -> Answer:
        """Say something and get the answer.

        Args:
            text: May use the concepts' names.
            on_text: Called with each piece of the answer as it appears.

        Raises:
            InputError: If the text is empty, or holds what is no character.
            ContextBudgetError: If the conversation has become too long for the model.
        """
        require_characters("question", text)
        if not text.strip():
            raise InputError("the question is empty; ask something")
        prompt = self._scene.prompt(text) if self._last is None else self._last[0].then(self._last[1], text)
        said = self._scene.answer(prompt, self._max_new_tokens, on_text)
        self._last = prompt, said.text
        return said
