"""`ego bench introduction`: seconds and memory beside the least possible and the straightforward way.

Time: the rivals take turns in one process. Memory: each runs alone in a fresh process.
"""

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict
from transformers import AutoTokenizer

from ego.backbones.loading import checkpoint_source
from ego.bench.measure import extra_peak_bytes, seconds_in_turns
from ego.bench.random_model import NAME
from ego.bench.rivals import EGO, LIMIT, SEPARATE, Setting, introduce, rivals
from ego.bench.subject import environment, in_a_process_alone, opened, source
from ego.config import EgoConfig

VISUAL_TOKENS = 1024
LAYERS = 8
DESCRIPTION_TOKENS, AREA_TOKENS = 24, 3
_IMAGE_SIZE = (1344, 448)  # three tiles and a thumbnail of 256 tokens each, for InternVL


class Rival(BaseModel):
    """One way of introducing.

    Attributes:
        name: See `rivals.py`.
        seconds: Median over the rounds.
        extra_peak_mb: Most memory beyond the loaded model, MB; None where it cannot be measured.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    seconds: float
    extra_peak_mb: float | None


class IntroductionBench(BaseModel):
    """The measured table.

    Attributes:
        model: What was measured.
        visual_tokens: Of the reference image.
        new_tokens: Longest description and area answer; random weights use all of it.
        same_answers: Whether all rivals said the same.
        rounds: Timed turns.
        rivals: Ego first.
        environment: Versions, device, threads.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    visual_tokens: int
    new_tokens: tuple[int, int]
    same_answers: bool
    rounds: int
    rivals: tuple[Rival, ...]
    environment: dict[str, str]

    def seconds(self, name: str) -> float:
        """Median seconds of one rival."""
        return next(rival.seconds for rival in self.rivals if rival.name == name)

    def memory(self, name: str) -> float | None:
        """Extra peak memory of one rival, MB."""
        return next(rival.extra_peak_mb for rival in self.rivals if rival.name == name)

    @property
    def over_limit(self) -> float:
        """Ego's time as a multiple of the limit's; goal: at most 1.10."""
        return self.seconds(EGO) / self.seconds(LIMIT)

    @property
    def speed_up(self) -> float:
        """The straightforward way's time as a multiple of Ego's; goal: at least 2.5."""
        return self.seconds(SEPARATE) / self.seconds(EGO)

    @property
    def memory_share(self) -> float | None:
        """Ego's extra memory as a share of the straightforward way's; goal: at most 1/3."""
        ours, theirs = self.memory(EGO), self.memory(SEPARATE)
        return None if ours is None or theirs is None else ours / theirs


def bench_introduction(model_id: str | None = None, *, device: str | None = None, rounds: int = 5) -> IntroductionBench:
    """Measure.

    Args:
        model_id: A model; None for random weights of realistic proportions.
        device: As for `load_backbone`.
        rounds: Timed turns.
    """
    with source(model_id, layers=LAYERS) as checkpoint:
        setting = _setting(checkpoint, device)
        ways = rivals(setting)
        answers = {way() for way in ways.values()}
        seconds = seconds_in_turns(ways, rounds)
        tokens = len(setting.backbone.encode_image(setting.image))
        memory = {name: _memory_alone(checkpoint, device, name) for name in ways}
    return IntroductionBench(
        model=NAME.format(LAYERS) if model_id is None else model_id,
        visual_tokens=tokens,
        new_tokens=(DESCRIPTION_TOKENS, AREA_TOKENS),
        same_answers=len(answers) == 1,
        rounds=rounds,
        rivals=tuple(Rival(name=name, seconds=seconds[name], extra_peak_mb=memory[name]) for name in ways),
        environment=environment(setting.backbone),
    )


def _setting(checkpoint: str, device: str | None) -> Setting:
    backbone = opened(checkpoint, device, max_visual_tokens=VISUAL_TOKENS)
    pixels = np.random.default_rng(0).integers(0, 256, (*_IMAGE_SIZE[::-1], 3), dtype=np.uint8)
    config = EgoConfig(description_tokens=DESCRIPTION_TOKENS, area_tokens=AREA_TOKENS)
    return Setting(
        backbone, AutoTokenizer.from_pretrained(checkpoint_source(checkpoint)), Image.fromarray(pixels), config
    )


def _memory_alone(checkpoint: str, device: str | None, name: str) -> float | None:
    """Run one rival in a process of its own and return its extra peak memory, MB."""
    return in_a_process_alone(_measure_memory, checkpoint, device, name)


def _measure_memory(checkpoint: str, device: str | None, name: str) -> float | None:
    setting = _setting(checkpoint, device)
    introduce(_small(setting))  # pages the weights in and lets libraries allocate their buffers
    _ = setting.questions
    peak = extra_peak_bytes(rivals(setting)[name])
    return None if peak is None else peak / 1e6


def _small(setting: Setting) -> Setting:
    image = setting.image.resize((_IMAGE_SIZE[1] // 4, _IMAGE_SIZE[1] // 4))
    return Setting(setting.backbone, setting.tokenizer, image, EgoConfig(description_tokens=1, area_tokens=1))
