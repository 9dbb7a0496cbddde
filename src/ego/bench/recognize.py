"""`ego bench recognize`: who of many concepts is in a picture.

All ways begin with the picture encoded; what the library has read of the concepts is kept, as it is from the second
picture on.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import torch

from ego.answer import NO_WORDS, YES_WORDS, yes_margin
from ego.backbones.base import Prefix
from ego.backbones.scoring import Scorer
from ego.bench.growth import Growth, Point, Way
from ego.bench.material import VISUAL_TOKENS, Material, material
from ego.bench.measure import answers_and_seconds, extra_peak_bytes
from ego.bench.random_model import NAME
from ego.bench.subject import environment, in_a_process_alone, opened, source
from ego.prompt import Prompt, memory_parts, recognition_question

EGO, ROWS, ONE_BY_ONE = "ego", "rows with copied contexts", "one by one over what was read"
SEPARATE = "one run per concept"
SIZES = (4, 8, 16, 32)
LAYERS = 2
SAME = 1e-3  # largest difference of log-odds that rounding makes
FIGURES = {
    "times faster than one run per concept (goal 8)": (SEPARATE, EGO),
    "times faster than rows with copied contexts (goal 2)": (ROWS, EGO),
    "times faster than one by one": (ONE_BY_ONE, EGO),
}
SHARE = "extra memory, as a share of that of rows (goal 0.125)"
Ask: TypeAlias = Callable[[], torch.Tensor]


def bench_recognize(
    model_id: str | None = None,
    *,
    device: str | None = None,
    rounds: int = 3,
    sizes: Sequence[int] = SIZES,
    memory: bool = True,
) -> Growth:
    """Measure.

    Args:
        model_id: A model; None for random weights.
        device: As for `load_backbone`.
        rounds: Timed turns.
        sizes: Numbers of concepts, smallest first.
        memory: Measure extra memory at the largest size, each way in a process of its own.
    """
    with source(model_id, layers=LAYERS) as checkpoint:
        made = material(opened(checkpoint, device, max_visual_tokens=VISUAL_TOKENS), sizes[-1])
        points = [_point(made.first(size), rounds) for size in sizes]
        measured = (EGO, ROWS) if memory else ()
        peaks = {name: in_a_process_alone(extra_memory, checkpoint, device, name, sizes[-1]) for name in measured}
    largest = points[-1] = _with_memory(points[-1], peaks)
    figures = {name: largest.seconds(slow) / largest.seconds(fast) for name, (slow, fast) in FIGURES.items()}
    ours, theirs = largest.way(EGO).extra_peak_mb, largest.way(ROWS).extra_peak_mb
    return Growth(
        bench="recognize",
        model=NAME.format(LAYERS) if model_id is None else model_id,
        grows="concepts",
        points=tuple(points),
        figures=figures | ({SHARE: ours / theirs} if ours and theirs else {}),
        rounds=rounds,
        environment=environment(made.backbone),
    )


def extra_memory(checkpoint: str, device: str | None, name: str, concepts: int) -> float | None:
    """Measure one way, MB; call it in a fresh process."""
    made = material(opened(checkpoint, device, max_visual_tokens=VISUAL_TOKENS), concepts)
    way = _ways(made)[name]
    _ways(made.first(2))[name]()  # pages the weights in and lets libraries allocate their buffers
    peak = extra_peak_bytes(way)
    return None if peak is None else peak / 1e6


def _with_memory(point: Point, peaks: dict[str, float | None]) -> Point:
    ways = tuple(way.model_copy(update={"extra_peak_mb": peaks.get(way.name)}) for way in point.ways)
    return point.model_copy(update={"ways": ways})


def _point(made: Material, rounds: int) -> Point:
    answers, seconds = answers_and_seconds(_ways(made), rounds)
    length = made.backbone.count_tokens(_prompts(made)[0])
    same = all(float((answer - answers[EGO]).abs().max()) < SAME for answer in answers.values())
    measured = tuple(Way(name=name, seconds=seconds[name], context_tokens=length) for name in answers)
    return Point(size=len(made.memories), ways=measured, same_answers=same)


def _ways(made: Material) -> dict[str, Ask]:
    prompt = made.prompt(made.memories)
    memories = made.backbone.prefill(prompt, len(memory_parts(made.memories)))
    ways = {EGO: _tree, ROWS: _rows, ONE_BY_ONE: _one_by_one, SEPARATE: _separate}
    return {name: partial(way, made, memories) for name, way in ways.items()}


def _tree(made: Material, memories: Prefix) -> torch.Tensor:
    return _margins(made, made.backbone.next_token_logits(_prompts(made), prefix=memories))


def _rows(made: Material, memories: Prefix) -> torch.Tensor:
    """Read the picture once, then every question in a row of one batch, with a copy of all that was read."""
    picture = _with_picture(made, memories)
    suffixes = [made.backbone.lay_out(prompt)[1].between(picture.length) for prompt in _prompts(made)]
    scorer = Scorer(made.backbone.runner, branches=False, batch_tokens=len(suffixes) * 2 * picture.length)
    return _margins(made, scorer.last_logits(suffixes, picture.state))


def _one_by_one(made: Material, memories: Prefix) -> torch.Tensor:
    picture = _with_picture(made, memories)
    asked = [made.backbone.next_token_logits([prompt], prefix=picture) for prompt in _prompts(made)]
    return _margins(made, torch.cat(asked))


def _separate(made: Material, _: Prefix) -> torch.Tensor:
    said = [made.backbone.generate(prompt, max_new_tokens=1).first_logits for prompt in _prompts(made)]
    return _margins(made, torch.stack(said))


def _with_picture(made: Material, memories: Prefix) -> Prefix:
    prompt = made.prompt(made.memories)
    return made.backbone.prefill(prompt, len(prompt.parts) - 1, prefix=memories)


def _prompts(made: Material) -> list[Prompt]:
    return [made.prompt(made.memories, recognition_question(memory.name)) for memory in made.memories]


def _margins(made: Material, logits: torch.Tensor) -> torch.Tensor:
    return yes_margin(logits, made.backbone.word_ids(YES_WORDS), made.backbone.word_ids(NO_WORDS))
