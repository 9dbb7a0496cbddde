"""`ego bench query`: seconds from a question about remembered concepts to the first word of the answer.

All ways begin with the picture encoded, since all of them must encode it; what the library has read of the concepts is
kept, as it is from the second question on.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from ego.backbones.base import Prefix
from ego.bench.growth import Growth, Point, Way
from ego.bench.material import VISUAL_TOKENS, Material, material, memory_of
from ego.bench.measure import answers_and_seconds
from ego.bench.random_model import NAME
from ego.bench.subject import environment, opened, source
from ego.memory import ConceptMemory
from ego.prompt import Prompt, Text, Turn, memory_parts

NEW_PICTURE, FOLLOW_UP = "ego, another picture", "ego, same picture again"
NO_REUSE, RE_ENCODED, WHOLE = "no reuse", "references encoded anew", "whole pictures as memories, reused"
LIMIT = "words of the same length, reused (limit)"
SIZES = (3, 6, 12)
LAYERS = 4
FIGURES = {
    "another picture: times faster than no reuse (goal 3)": (NO_REUSE, NEW_PICTURE),
    "same picture: times faster than no reuse (goal 15)": (NO_REUSE, FOLLOW_UP),
    "another picture: times faster than references encoded anew (goal 5)": (RE_ENCODED, NEW_PICTURE),
    "another picture: time over that of words of the same length": (NEW_PICTURE, LIMIT),
}
SHARE = "context tokens of the concepts, as a share of whole references (goal 0.25)"
Ask: TypeAlias = Callable[[], int]


def bench_query(
    model_id: str | None = None, *, device: str | None = None, rounds: int = 3, sizes: Sequence[int] = SIZES
) -> Growth:
    """Measure.

    Args:
        model_id: A model; None for random weights.
        device: As for `load_backbone`.
        rounds: Timed turns.
        sizes: Numbers of concepts, smallest first.
    """
    with source(model_id, layers=LAYERS) as checkpoint:
        made = material(opened(checkpoint, device, max_visual_tokens=VISUAL_TOKENS), sizes[-1])
        points = tuple(_point(made.first(size), rounds) for size in sizes)
    largest = points[-1]
    figures = {name: largest.seconds(slow) / largest.seconds(fast) for name, (slow, fast) in FIGURES.items()}
    concepts = made.backbone.count_tokens
    ours, theirs = (_context(memories) for memories in (made.memories, made.whole))
    return Growth(
        bench="query",
        model=NAME.format(LAYERS) if model_id is None else model_id,
        grows="concepts",
        points=points,
        figures=figures | {SHARE: concepts(ours) / concepts(theirs)},
        rounds=rounds,
        environment=environment(made.backbone),
    )


def _point(made: Material, rounds: int) -> Point:
    ways, prompts = _ways(made)
    said, seconds = answers_and_seconds(ways, rounds)
    measured = tuple(
        Way(name=name, seconds=seconds[name], context_tokens=made.backbone.count_tokens(prompts[name])) for name in ways
    )
    same = {said[name] for name in (NEW_PICTURE, FOLLOW_UP, NO_REUSE)}
    whole = {said[name] for name in (RE_ENCODED, WHOLE)}
    return Point(size=len(made.memories), ways=measured, same_answers=len(same) == len(whole) == 1)


def _ways(made: Material) -> tuple[dict[str, Ask], dict[str, Prompt]]:
    prompt, whole, words = made.prompt(made.memories), made.prompt(made.whole), _words(made)
    kept = len(memory_parts(made.memories))
    backbone = made.backbone
    memories = backbone.prefill(prompt, kept)
    picture = backbone.prefill(prompt, len(prompt.parts) - 1, prefix=memories)
    ways: dict[str, tuple[Ask, Prompt]] = {
        NEW_PICTURE: (partial(_first_word, made, prompt, memories), prompt),
        FOLLOW_UP: (partial(_first_word, made, prompt, picture), prompt),
        NO_REUSE: (partial(_first_word, made, prompt, None), prompt),
        RE_ENCODED: (partial(_encoded_anew, made), whole),
        WHOLE: (partial(_first_word, made, whole, backbone.prefill(whole, kept)), whole),
        LIMIT: (partial(_first_word, made, words, backbone.prefill(words, 1)), words),
    }
    return {name: way for name, (way, _) in ways.items()}, {name: prompt for name, (_, prompt) in ways.items()}


def _first_word(made: Material, prompt: Prompt, prefix: Prefix | None) -> int:
    return int(made.backbone.next_token_logits([prompt], prefix=prefix)[0].argmax())


def _encoded_anew(made: Material) -> int:
    """Encode every reference and read all of its tokens, as methods that retrieve pictures do."""
    encoded = [made.backbone.encode_image(reference) for reference in made.references]
    named = zip(made.whole, encoded, strict=True)
    anew = [memory_of(made.backbone, memory.name, tokens) for memory, tokens in named]
    return _first_word(made, made.prompt(anew), None)


def _words(made: Material) -> Prompt:
    """Replace the concepts by as many tokens of words."""
    wanted = made.backbone.count_tokens(_context(made.memories))
    text = ""
    while made.backbone.count_tokens(Prompt((Turn("user", (Text(text),)),))) < wanted:
        text += "a dog. "
    (asked,) = made.prompt(made.memories).turns
    return Prompt((Turn("user", (Text(text), *asked.parts[len(memory_parts(made.memories)) :])),))


def _context(memories: Sequence[ConceptMemory]) -> Prompt:
    return Prompt((Turn("user", memory_parts(memories)),))
