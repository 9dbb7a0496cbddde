"""Prompt -> generated text and first-token probabilities -> Answer, Recognition (paper 3.3)."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ego.answer_correction import saved_correction
from ego.backbones.base import Backbone, Generation, Prefix
from ego.memory import ConceptMemory
from ego.prompt import Prompt, query_prompt, recognition_question
from ego.results import Answer, Recognition, Said
from ego.similarity_filter import partial_similarity
from ego.visual_tokens import VisualTokens

YES_WORDS = ("Yes", "yes", "YES")
NO_WORDS = ("No", "no", "NO")


def recognize_pictures(
    backbone: Backbone,
    memories: Sequence[ConceptMemory],
    pictures: Sequence[Sequence[VisualTokens]],
    *,
    threshold: float,
    prefix: Prefix,
) -> list[dict[str, Recognition]]:
    """Ask about every memory of the prompt in each of several pictures (or groups of frames), all in one go.

    Args:
        backbone: The model.
        memories: Concepts in the prompt, in order.
        pictures: What to look at.
        threshold: Probability from which a concept counts as present.
        prefix: The memories, or memories and picture where there is one picture only.
    """
    names = [memory.name for memory in memories]
    prompts = [query_prompt(memories, images, recognition_question(name)) for images in pictures for name in names]
    logits = backbone.next_token_logits(prompts, prefix=prefix)
    yes, no = backbone.word_ids(YES_WORDS), backbone.word_ids(NO_WORDS)
    similar = similarities(backbone, [(memory, images) for images in pictures for memory in memories])
    probabilities = yes_probabilities(backbone, logits, similar).tolist()
    said = [_read(token, yes, no) for token in logits.argmax(-1).tolist()]
    found = [
        Recognition(name, probability >= threshold, probability, threshold, word)
        for name, probability, word in zip(names * len(pictures), probabilities, said, strict=True)
    ]
    count = len(names)
    return [dict(zip(names, found[start : start + count], strict=True)) for start in range(0, len(found), count)]


def not_asked(name: str, threshold: float) -> Recognition:
    """Stand for a concept that the similarity filter left out of the prompt."""
    return Recognition(name, present=False, probability=0.0, threshold=threshold, said="not asked")


def similarities(
    backbone: Backbone, pairs: Sequence[tuple[ConceptMemory, Sequence[VisualTokens]]]
) -> Float[Tensor, " prompt"] | None:
    """How similar the tokens of a picture (or some frames) are to a memory's; None where no answer depends on it."""
    line = saved_correction(backbone.fingerprint, backbone.card.decoder).with_similarity
    if line is None:
        return None
    seen = {id(images): line.comparable(torch.cat([image.rows for image in images])) for _, images in pairs}
    return torch.tensor(
        [
            partial_similarity(line.comparable(memory.tokens.rows.to(seen[id(images)].device)), seen[id(images)])
            for memory, images in pairs
        ]
    )


def yes_probabilities(
    backbone: Backbone, logits: Float[Tensor, "prompt vocab"], similar: Float[Tensor, " prompt"] | None = None
) -> Float[Tensor, " prompt"]:
    """P(yes) / (P(yes) + P(no)) of the first answer token, with the model's own correction if it has one.

    Args:
        backbone: The model.
        logits: Of the first answer token.
        similar: Of memory and picture, as `similarities` tells it, for questions about memories.
    """
    margin = yes_margin(logits, backbone.word_ids(YES_WORDS), backbone.word_ids(NO_WORDS))
    return saved_correction(backbone.fingerprint, backbone.card.decoder).probability(margin, similar)


def yes_margin(
    logits: Float[Tensor, "prompt vocab"], yes: Sequence[int], no: Sequence[int]
) -> Float[Tensor, " prompt"]:
    """Log-odds of yes against no of the first answer token; each word counts with all its spellings."""
    return logits[:, list(yes)].logsumexp(-1) - logits[:, list(no)].logsumexp(-1)


def answer(
    backbone: Backbone,
    prompt: Prompt,
    *,
    names: Sequence[str],
    dropped: Sequence[str],
    max_new_tokens: int,
    prefix: Prefix | None,
    on_text: Callable[[str], None] | None = None,
) -> Answer:
    """Let the model answer a prompt."""
    said = backbone.generate(prompt, max_new_tokens=max_new_tokens, prefix=prefix, on_text=on_text)
    return answer_of(said, names, dropped)


def answer_of(said: Generation, names: Sequence[str], dropped: Sequence[str]) -> Answer:
    """Tell which of the concepts in the prompt an answer names."""
    mentioned = tuple(name for name in names if mentions(said.text, name))
    return Answer(said.text, tuple(names), tuple(dropped), mentioned, said.prompt_tokens, said.seconds)


def mentions(text: str, name: str) -> bool:
    """Say whether a text holds a name as whole words, whatever the case: "Bo" is not in "Bottle"."""
    haystack, needle = text.casefold(), name.casefold()
    start = haystack.find(needle)
    while start >= 0:
        before, after = haystack[:start][-1:], haystack[start + len(needle) :][:1]
        if not (_joins(before, needle[0]) or _joins(after, needle[-1])):
            return True
        start = haystack.find(needle, start + 1)
    return False


def _joins(neighbour: str, edge: str) -> bool:
    return neighbour.isalnum() and edge.isalnum()


def _read(token: int, yes: Sequence[int], no: Sequence[int]) -> Said:
    if token in yes:
        return "yes"
    return "no" if token in no else "other"
