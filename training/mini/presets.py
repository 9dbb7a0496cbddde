"""Read a preset file (`cpu.toml`, `gpu.toml`): every size, rate and number of steps of a training run."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

STRIDE = 32  # pixels per visual token
ROUND = 0  # the pair of rotary coordinates that turns once in a row of visual tokens


@dataclass(frozen=True)
class Shape:
    """The size of the model. Sides in pixels; the concepts a prompt may hold are chosen, not measured."""

    image_side: int
    text_width: int
    text_layers: int
    text_heads: int
    text_inner: int
    rope_theta: float
    vocabulary: int
    concepts_per_prompt: int

    @property
    def grid(self) -> int:
        """Count the visual tokens along one side."""
        return self.image_side // STRIDE

    def turn(self, pair: int) -> float:
        """Tell by how much a pair of rotary coordinates turns from token to token, in radians.

        Pair `ROUND` turns once in a row of visual tokens, so that attention can tell where in its row a token stands.
        """
        return math.tau / self.grid * self.rope_theta ** (2 * (ROUND - pair) * self.text_heads / self.text_width)

    @property
    def rope_factor(self) -> float:
        """Give the factor by which places are divided ("linear" scaling) for that."""
        return 1 / self.turn(0)


@dataclass(frozen=True)
class Phase:
    """A part of stage A: sides in pixels, of which every step draws one; views (of all processes); number of steps."""

    sides: tuple[int, ...]
    views: int
    steps: int


@dataclass(frozen=True)
class TowerStage:
    """Stage A: its phases, views per identity, rate of the heads and the tower's share of it, data workers.

    In the end the tower is averaged (`share`: of the trained weights), and the heads are fitted alone.
    """

    phases: tuple[Phase, ...]
    views_per_identity: float
    rate: float
    tower_factor: float
    share: float
    settle_batches: int
    settle_steps: int
    settle_rate: float
    workers: int


@dataclass(frozen=True)
class LanguageStage:
    """Stage B: steps, tokens per step (of all processes), rate, the banks of encoded pictures, renderers.

    Each bank serves an equal part of the steps. `bank_singles`: things that are shown only once, in a photo.
    """

    steps: int
    tokens: int
    rate: float
    banks: int
    bank_identities: int
    bank_scenes: int
    bank_singles: int
    workers: int


@dataclass(frozen=True)
class Preset:
    """A whole run."""

    seed: int
    shape: Shape
    tower: TowerStage
    language: LanguageStage


def read_preset(path: Path) -> Preset:
    """Read a preset file."""
    table = tomllib.loads(path.read_text())
    phases = tuple(Phase(tuple(sides), *rest) for sides, *rest in table["tower"].pop("phases"))
    return Preset(
        table["seed"],
        Shape(**table["shape"]),
        TowerStage(phases=phases, **table["tower"]),
        LanguageStage(**table["language"]),
    )
