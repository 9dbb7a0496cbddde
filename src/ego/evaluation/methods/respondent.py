"""Ask a backbone: parts of a prompt -> a reply, with the repeated beginning prefilled once.

The runner goes through a data set scene by scene, so the last pictures and the contexts of all concepts are kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from jaxtyping import Float
from torch import Tensor

from ego.answer import NO_WORDS, YES_WORDS, yes_probabilities
from ego.backbones.base import Backbone, Prefix
from ego.media import LoadedImage
from ego.prompt import Part, Prompt, Text, Turn
from ego.visual_tokens import VisualTokens

PICTURES_KEPT = 16
CONTEXTS_KEPT = 64

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Reply:
    """What was said.

    Attributes:
        text: The answer.
        context_tokens: Length of the prompts behind it, summed.
        probability: Probability of yes, for a yes-or-no question.
    """

    text: str
    context_tokens: int
    probability: float | None = None

    def after(self, context_tokens: int) -> "Reply":
        """Count the prompts of earlier steps as well."""
        return Reply(self.text, self.context_tokens + context_tokens, self.probability)


class Respondent:
    """Answers prompts given as parts; nothing but speed depends on what it keeps."""

    def __init__(self, backbone: Backbone) -> None:
        """Ask this model."""
        self._backbone = backbone
        self._pictures: Recent[VisualTokens] = Recent(PICTURES_KEPT)
        self._contexts: Recent[tuple[Prompt, Prefix]] = Recent(CONTEXTS_KEPT)
        self._yes, self._no = backbone.word_ids(YES_WORDS), backbone.word_ids(NO_WORDS)

    def encode(self, picture: LoadedImage) -> VisualTokens:
        """Encode a picture, once."""
        return self._pictures.get(picture.digest, lambda: self._backbone.encode_image(picture.picture))

    def count(self, parts: Sequence[Part]) -> int:
        """Count the tokens that parts add to a prompt."""
        return self._backbone.count_tokens(_one_turn(parts)) - self._backbone.count_tokens(_one_turn([Text("")]))

    def yes_or_no(
        self, parts: Sequence[Part], *, shared: int = 0, similar: Float[Tensor, " prompt"] | None = None
    ) -> Reply:
        """Answer with one word, and the probability of yes.

        Args:
            parts: The whole prompt.
            shared: How many of the first parts other prompts begin with, too.
            similar: Of the memory asked about and the picture, as `ego.answer.similarities` tells it.
        """
        prompt = _one_turn(parts)
        logits = self._backbone.next_token_logits([prompt], prefix=self._prefix(prompt, shared))
        probability = float(yes_probabilities(self._backbone, logits, similar)[0])
        token = int(logits[0].argmax())
        text = "Yes" if token in self._yes else "No" if token in self._no else f"(token {token})"
        return Reply(text, self._backbone.count_tokens(prompt), probability)

    def say(self, parts: Sequence[Part], *, max_new_tokens: int, shared: int = 0) -> Reply:
        """Answer in words."""
        prompt = _one_turn(parts)
        prefix = self._prefix(prompt, shared)
        said = self._backbone.generate(prompt, max_new_tokens=max_new_tokens, prefix=prefix)
        return Reply(said.text, said.prompt_tokens)

    def _prefix(self, prompt: Prompt, shared: int) -> Prefix | None:
        if not shared:
            return None
        key = tuple(part.text if isinstance(part, Text) else id(part.tokens) for part in prompt.parts[:shared])
        # The prompt is kept beside its prefix, so that no other object gets the identities in the key.
        return self._contexts.get(key, lambda: (prompt, self._backbone.prefill(prompt, parts=shared)))[1]


class Recent(Generic[Kept]):
    """The values asked for most recently.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Kept] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """Return the kept value, or make and keep it; the one unused for longest goes."""
        if key not in self._values:
            self._values[key] = make()
            if len(self._values) > self._most:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]


def _one_turn(parts: Sequence[Part]) -> Prompt:
    return Prompt((Turn("user", tuple(parts)),))
