"""Image -> caption with names; a model that mixes concepts up tells of a few at a time, a sentence for each few."""

from collections.abc import Callable, Sequence

from ego.answer import mentions
from ego.prompt import Prompt, caption_question
from ego.results import Answer
from ego.scene import Scene


def caption_prompt(scene: Scene) -> Prompt:
    """Ask for one sentence about a scene, with names when there are any."""
    return scene.prompt(caption_question(scene.memories))


def sentences(names: Sequence[str], most: int) -> list[Sequence[str]]:
    """Cut the concepts of a caption into those of each sentence; nobody makes a sentence, too."""
    return [names[start : start + most] for start in range(0, max(1, len(names)), most)]


def tell(scenes: Sequence[Scene], max_new_tokens: int, on_text: Callable[[str], None] | None = None) -> Answer:
    """Describe what the scenes of a caption show, a sentence each.

    Args:
        scenes: The same image with the concepts of each sentence in memory.
        max_new_tokens: Longest sentence.
        on_text: Called with each piece of the caption as it appears.
    """
    told: list[Answer] = []
    for scene in scenes:
        if told and on_text is not None:
            on_text(" ")
        told.append(scene.answer(caption_prompt(scene), max_new_tokens, on_text))
    return joined(told)


def joined(told: Sequence[Answer]) -> Answer:
    """Make one caption of its sentences."""
    names = tuple(name for sentence in told for name in sentence.names)
    text = " ".join(sentence.text for sentence in told)
    return Answer(
        text,
        names,
        told[0].dropped,
        tuple(name for name in names if mentions(text, name)),
        sum(sentence.prompt_tokens for sentence in told),
        sum(sentence.seconds for sentence in told),
    )
