"""Read a preset file (`cpu.toml`, `gpu.toml`): every size, rate and number of steps of a training run."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """The size of the model. Sides in pixels."""

    image_side: int
    patch: int
    vision_width: int
    vision_layers: int
    vision_heads: int
    text_width: int
    text_layers: int
    text_heads: int
    text_inner: int
    vocabulary: int

    @property
    def grid(self) -> int:
        """Count the visual tokens along one side."""
        return self.image_side // self.patch


@dataclass(frozen=True)
class Phase:
    """A part of stage A: pixels per side, number of steps, share of the patches that is looked at."""

    side: int
    steps: int
    kept: float


@dataclass(frozen=True)
class TowerStage:
    """Stage A: its phases, views and identities per step (of all processes), learning rate, data workers."""

    phases: tuple[Phase, ...]
    views: int
    identities: int
    rate: float
    workers: int


@dataclass(frozen=True)
class LanguageStage:
    """Stages B and C: steps, sequences per step, rates, the bank of encoded pictures, lesson length, renderers."""

    steps: int
    joint_steps: int
    sequences: int
    joint_sequences: int
    rate: float
    joint_rate: float
    bank_identities: int
    bank_scenes: int
    bank_steps: int
    length: int
    early_length: int
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
    phases = tuple(Phase(*phase) for phase in table["tower"].pop("phases"))
    return Preset(
        table["seed"],
        Shape(**table["shape"]),
        TowerStage(phases=phases, **table["tower"]),
        LanguageStage(**table["language"]),
    )
