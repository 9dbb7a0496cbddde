"""`ego bench accelerator`: decoding beside `generate` of transformers, with its growing and its static cache.

It runs anywhere; the static cache is compiled on an accelerator only, and only there does it matter how often the host
waits for the device.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from transformers import AutoTokenizer

from ego.backbones.loading import checkpoint_source
from ego.bench.growth import Growth, Point, Way
from ego.bench.material import VISUAL_TOKENS, material
from ego.bench.measure import answers_and_seconds
from ego.bench.random_model import NAME
from ego.bench.rivals import Setting
from ego.bench.subject import environment, opened, source
from ego.config import EgoConfig
from ego.prompt import DESCRIBE, introduction_prompt

EGO, GROWING, STATIC = "ego", "transformers, growing cache", "transformers, static cache"
SIZES = (8, 32, 64)
LAYERS = 4
FIGURES = {
    "time over that of transformers with a growing cache": (EGO, GROWING),
    "time over that of transformers with a static cache": (EGO, STATIC),
}


def bench_accelerator(
    model_id: str | None = None, *, device: str | None = None, rounds: int = 3, sizes: Sequence[int] = SIZES
) -> Growth:
    """Measure.

    Args:
        model_id: A model; None for random weights, which never end their turn early.
        device: As for `load_backbone`.
        rounds: Timed turns.
        sizes: Numbers of new tokens, smallest first.
    """
    with source(model_id, layers=LAYERS) as checkpoint:
        backbone = opened(checkpoint, device, max_visual_tokens=VISUAL_TOKENS)
        (image,) = material(backbone, 1).references
        tokenizer = AutoTokenizer.from_pretrained(checkpoint_source(checkpoint))
        points = tuple(
            _point(Setting(backbone, tokenizer, image, EgoConfig(description_tokens=size)), rounds) for size in sizes
        )
    largest = points[-1]
    return Growth(
        bench="accelerator",
        model=NAME.format(LAYERS) if model_id is None else model_id,
        grows="new tokens",
        points=points,
        figures={name: largest.seconds(ours) / largest.seconds(theirs) for name, (ours, theirs) in FIGURES.items()},
        rounds=rounds,
        environment=environment(backbone),
    )


def _point(setting: Setting, rounds: int) -> Point:
    answers, seconds = answers_and_seconds(_ways(setting), rounds)
    length = setting.questions[0].shape[1]
    measured = tuple(Way(name=name, seconds=seconds[name], context_tokens=length) for name in answers)
    size = setting.config.description_tokens
    return Point(size=size, ways=measured, same_answers=len(set(answers.values())) == 1)


def _ways(setting: Setting) -> dict[str, Callable[[], str]]:
    return {
        EGO: partial(_ours, setting),
        GROWING: partial(_generate, setting),
        STATIC: partial(_generate, setting, cache_implementation="static"),
    }


def _ours(setting: Setting) -> str:
    prompt = introduction_prompt(setting.backbone.encode_image(setting.image), DESCRIBE)
    return setting.backbone.generate(prompt, max_new_tokens=setting.config.description_tokens).text


@torch.no_grad()
def _generate(setting: Setting, **more: Any) -> str:
    ids = setting.questions[0]
    whole: torch.Tensor = setting.backbone.model.generate(
        **setting.prompt_inputs(ids),
        **setting.image_inputs(),
        max_new_tokens=setting.config.description_tokens,
        do_sample=False,
        **more,
    )
    return setting.text(whole[0, ids.shape[1] :])
