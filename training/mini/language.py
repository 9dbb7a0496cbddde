"""Stage B: teach the language part to match, name and answer over the frozen tower of stage A.

python language.py --preset cpu.toml --world WORLD.npz --folder FOLDER [--device cuda]  # after settle.py, same folder
python language.py ... --start-from ../../src/ego/backbones/mini  # or teach a finished model on
"""

import argparse
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from architecture import build_model, tower_features
from bank import Bank, Chunks, build_bank, plan_bank
from beginnings import begin
from checks import check
from collate import Batch, collate
from crew import ALONE, Crew, join_crew
from gaze import WATCHED, Looked, gaze_loss, looked
from imitation import imitate
from lessons import Words
from machine import LOGGER, Progress, half_precision, load, note, optimizer, prepare, save, set_rate
from presets import Preset, read_preset
from sources import read_pack
from splits import Part
from subjects import Cast
from teacher import Teacher
from torch import Tensor, nn
from torch.nn import functional
from transformers import FastVlmForConditionalGeneration
from vocabulary import run_tokenizer

ENCODE_BATCH = 16
CHECK_STEPS, SAVE_STEPS = 250, 50
VALIDATION_IDENTITIES, VALIDATION_SCENES, VALIDATION_SINGLES, VALIDATION_SEED = 80, 160, 120, 1
UNSEEN = -1e30
OWNER_LAYER, FACT_LAYER = 3, 4  # how many layers stand before owners and facts are asked for
FACT_WEIGHT = 0.5
# Of the rate: how fast what finds owners is changed, attention behind it, and what decides that nobody is there.
MATCHING_SHARE, READING_SHARE, THRESHOLD_SHARE = 0.2, 0.6, 3.0
NOBODY_WEIGHT = 0.5  # of visual tokens that show nobody known, who are the most


@dataclass(frozen=True)
class Kind:
    """A kind of step: numbers of concepts (none: introductions), tokens of a lesson, its share early and late."""

    concepts: tuple[int, int]
    length: int
    early: float
    late: float


KINDS = (
    Kind((0, 0), 640, 0.2, 0.2),
    Kind((1, 1), 448, 0.3, 0.32),
    Kind((2, 4), 512, 0.38, 0.28),
    Kind((5, 8), 672, 0.12, 0.12),
    Kind((9, 12), 800, 0.0, 0.08),
)


@torch.no_grad()
def encode(model: FastVlmForConditionalGeneration, pixels: Tensor) -> Tensor:
    """Turn uint8 pictures into tower features [picture token width], some at a time."""
    device = next(model.parameters()).device
    parts = [tower_features(model.model.vision_tower, part.to(device)) for part in pixels.split(ENCODE_BATCH)]
    return torch.cat(parts).bfloat16().cpu()


@dataclass(frozen=True)
class Thoughts:
    """What the language part computed: the input of every layer and its last output, and what attention compared."""

    states: tuple[Tensor, ...]
    looks: Looked


def rows_of(model: FastVlmForConditionalGeneration, batch: Batch, features: Tensor) -> Tensor:
    """Project the tower features [picture token width] that a batch shows: its visual rows."""
    return model.model.multi_modal_projector(features[batch.rows[:, 2], batch.rows[:, 3]].float())


def think(model: FastVlmForConditionalGeneration, batch: Batch, rows: Tensor) -> Thoughts:
    """Run the language part over words and visual rows."""
    embedded = model.get_input_embeddings()(batch.ids).to(rows.dtype).index_put(tuple(batch.rows[:, :2].T), rows)
    out = model.model.language_model(
        inputs_embeds=embedded,
        attention_mask=torch.zeros_like(batch.visible, dtype=rows.dtype).masked_fill(~batch.visible, UNSEEN),
        position_ids=batch.positions,
        use_cache=False,
        output_hidden_states=True,
    )
    looks = looked(model.model.language_model.layers)
    return Thoughts((*out.hidden_states[:-1], out.last_hidden_state), looks)


def losses(
    model: FastVlmForConditionalGeneration, batch: Batch, features: Tensor, *, guided: bool = True
) -> dict[str, Tensor]:
    """Compute the loss of the answers, and of what shall be known before: owners of visual tokens, facts at names."""
    thoughts = think(model, batch, rows_of(model, batch, features))
    last = thoughts.states[-1]
    answer = functional.cross_entropy(
        model.lm_head(last[batch.targets[:, 0], batch.targets[:, 1]]).float(), batch.targets[:, 2], reduction="none"
    )
    found = {
        "answer": (answer * batch.target_weights).sum() / batch.target_weights.sum(),
        "owner": _choice(owner_scores(model, thoughts, batch), batch.owners, nobody=NOBODY_WEIGHT),
        "fact": FACT_WEIGHT * _choice(fact_scores(model, thoughts, batch), batch.facts),
    }
    return found | {"gaze": gaze_loss(thoughts.looks, batch)} if guided else found


def owner_scores(model: FastVlmForConditionalGeneration, thoughts: Thoughts, batch: Batch) -> Tensor:
    """Score nobody and every introduced name as the owner of every visual token."""
    sequence, place, _ = batch.owners.unbind(1)
    there = (batch.candidates >= 0).float()
    words = (model.lm_head.weight[batch.candidates.clamp(min=0)] * there[..., None]).sum(2)
    names = words / there.sum(-1, keepdim=True).clamp(min=1).sqrt()
    states = model.model.language_model.norm(thoughts.states[OWNER_LAYER])
    scores = torch.bmm(states.float(), names.transpose(1, 2).float())
    return scores.masked_fill(~(batch.candidates[:, None, :, 0] >= 0), float("-inf"))[sequence, place]


def fact_scores(model: FastVlmForConditionalGeneration, thoughts: Thoughts, batch: Batch) -> Tensor:
    """Score what can be known at a name or the end of a picture, one layer before the answers look there."""
    sequence, place, _ = batch.facts.unbind(1)
    states = model.model.language_model.norm(thoughts.states[FACT_LAYER])[sequence, place].float()
    scores = model.lm_head(states.to(model.lm_head.weight.dtype)).float().gather(1, batch.fact_words.clamp(min=0))
    return scores.masked_fill(batch.fact_words < 0, float("-inf"))


def _choice(scores: Tensor, right: Tensor, nobody: float = 1.0) -> Tensor:
    if len(right) == 0:
        return scores.sum() * 0.0
    weights = torch.where(right[:, 2] == 0, nobody, 1.0)
    return (functional.cross_entropy(scores.float(), right[:, 2], reduction="none") * weights).sum() / weights.sum()


def used(batch: Batch) -> tuple[Tensor, Batch]:
    """List the pictures of the bank that a batch uses; the batch then counts among these."""
    pictures, local = batch.rows[:, 2].unique(return_inverse=True)
    rows = torch.cat([batch.rows[:, :2], local[:, None], batch.rows[:, 3:]], 1)
    return pictures, Batch(**{**vars(batch), "rows": rows})


def rate_groups(model: FastVlmForConditionalGeneration) -> list[dict[str, Any]]:
    """List what is trained at which share of the rate: slowly what was written by hand, its thresholds quickly."""
    shares: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            shares.setdefault(rate_share(name), []).append(parameter)
    return [{"params": parameters, "factor": share} for share, parameters in shares.items()]


def rate_share(name: str) -> float:
    """Give the share of the rate for a parameter."""
    if "self_attn" in name and name.endswith("bias"):
        return THRESHOLD_SHARE
    if any(f"layers.{layer}.self_attn" in name for layer in range(OWNER_LAYER)) or "projector" in name:
        return MATCHING_SHARE
    return READING_SHARE if "self_attn" in name else 1.0


class Run:
    """One training run: model, data, where it stands."""

    def __init__(
        self, preset: Preset, world: Path, folder: Path, device: str, crew: Crew, finished: Path | None = None
    ) -> None:
        """Load the tower of stage A, or a finished model, and the state of an earlier run to go on from."""
        torch.manual_seed(preset.seed)
        assets = read_pack(world)
        self.preset, self.folder, self.device, self.crew = preset, folder, device, crew
        self.tokenizer = run_tokenizer(folder, preset.shape.vocabulary, preset.seed, finished)
        self.words = Words(self.tokenizer)
        self.model = build_model(preset.shape, self.tokenizer).to(device)
        self.model.model.language_model.set_attn_implementation(WATCHED)
        heads = self._take_model(finished) if finished else self._take_tower()
        self.model.model.vision_tower.requires_grad_(False)
        self._casts: dict[Part, Cast] = {"train": Cast(assets, "train"), "val": Cast(assets, "val")}
        self._banks = dict[int, Bank]()
        self._render()
        self.validation = self._bank(None)
        self.state = load(folder / "model.pt", device)
        if self.state:
            self.model.load_state_dict(self.state["model"])
        elif heads:
            self._begin(heads)

    def _take_tower(self) -> dict[str, Tensor]:
        """Take over the tower of stage A; give what else it learnt."""
        settled = load(self.folder / "settled.pt", self.device)
        if settled is None:
            raise FileNotFoundError(f"no settled.pt in {self.folder}; run settle.py with the same --folder first")
        seen = {name.removeprefix("tower."): w for name, w in settled["model"].items() if name.startswith("tower.")}
        self.model.model.vision_tower.load_state_dict(seen)
        return settled["model"]

    def _take_model(self, finished: Path) -> dict[str, Tensor]:
        """Take over all weights of a finished model, which needs no beginning."""
        model = FastVlmForConditionalGeneration.from_pretrained(finished, dtype=torch.float32)
        self.model.load_state_dict(model.state_dict())
        return {}

    def bank(self, number: int) -> Bank:
        """Give the bank of one part of the run; only the last one is held."""
        if number not in self._banks:
            self._banks.clear()
            self._banks[number] = self._bank(number)
        return self._banks[number]

    def _render(self) -> None:
        """Render the banks: every process some of them."""
        numbers = [None, *range(self.preset.language.banks)]
        for number in numbers[self.crew.rank :: self.crew.size]:
            if not self._kept(number).exists():
                self._bank(number)
        self.crew.wait()

    def _kept(self, number: int | None) -> Path:
        return self.folder / f"bank-{'validation' if number is None else number}.safetensors"

    def _bank(self, number: int | None) -> Bank:
        """Give a bank (None: that of the validation part), rendered and encoded once and kept beside the run."""
        shape, stage = self.preset.shape, self.preset.language
        if number is None:
            cast, seed, epoch = self._casts["val"], VALIDATION_SEED, 0
            identities, scenes, singles = VALIDATION_IDENTITIES, VALIDATION_SCENES, VALIDATION_SINGLES
        else:
            cast, seed, epoch = self._casts["train"], self.preset.seed, number
            identities, scenes, singles = stage.bank_identities, stage.bank_scenes, stage.bank_singles
        plan = plan_bank(cast, seed, epoch, identities, singles=singles)
        chunks = Chunks(cast, plan, seed, epoch, scenes, shape.image_side, shape.grid)
        return build_bank(chunks, lambda pixels: encode(self.model, pixels), stage.workers, self._kept(number))

    def _begin(self, stage_a: dict[str, Tensor]) -> None:
        begin(self.model, self.tokenizer, self.preset.shape, self.preset.seed)
        table = self.model.get_input_embeddings().weight.detach()
        projector = self.model.model.multi_modal_projector
        losses = imitate(projector, stage_a, self.bank(0).features.flatten(0, 1), table, self.tokenizer)
        LOGGER.info("the projector imitates stage A; losses %s", losses)
        if self.crew.leads:
            note(self.folder, stage="language", step=0, **check(self, self.validation))

    def train(self) -> None:
        """Train from where the run stands to its end."""
        stage = self.preset.language
        groups = rate_groups(self.model)
        trained = [parameter for group in groups for parameter in group["params"]]
        optimiser = optimizer(groups, stage.rate)
        start = 0
        if self.state:
            optimiser.load_state_dict(self.state["optimiser"])
            start = int(self.state["step"])
            LOGGER.info("resumed at step %d", start)
        progress = Progress(stage.steps)
        with ThreadPoolExecutor(1) as pool:
            ahead: Future[tuple[Batch, Tensor]] = pool.submit(self.draw, start)
            for step in range(start, stage.steps):
                batch, features = ahead.result()
                ahead = pool.submit(self.draw, step + 1)
                set_rate(optimiser, stage.rate, step, stage.steps)
                parts = self._step(optimiser, trained, batch, features)
                if self.crew.leads:
                    progress(step, parts)
                    self._keep(optimiser, step + 1)

    def draw(self, step: int) -> tuple[Batch, Tensor]:
        """Write this process's lessons of one step, with the features that they show; the same for the same step."""
        stage = self.preset.language
        part = min(step, stage.steps - 1) * stage.banks // stage.steps
        bank = self.bank((part + self.crew.rank) % stage.banks)  # other processes show other pictures meanwhile
        progress = step / stage.steps
        shares = np.array([kind.early + (kind.late - kind.early) * min(1.0, 2 * progress) for kind in KINDS])
        kind = KINDS[
            int(np.random.default_rng([self.preset.seed, 3, step]).choice(len(KINDS), p=shares / shares.sum()))
        ]
        rng = np.random.default_rng([self.preset.seed, 2, step, self.crew.rank])
        teacher = Teacher(bank, self.words, kind.length, self.preset.shape.grid**2, whole=kind.concepts[1] == 1)
        lessons = []
        for _ in range(max(1, round(stage.tokens / kind.length / self.crew.size))):
            number = int(rng.integers(kind.concepts[0], kind.concepts[1] + 1))
            hard = 0.2 + 0.4 * min(1.0, 2 * progress)
            lessons.append(teacher.remembering(rng, number, hard) if number else teacher.introductions(rng))
        pictures, local = used(collate(lessons))
        return local, bank.features[pictures]

    def _step(
        self, optimiser: torch.optim.Optimizer, trained: list[nn.Parameter], batch: Batch, features: Tensor
    ) -> dict[str, float]:
        with half_precision(self.device):
            parts = losses(self.model, batch.to(self.device), features.to(self.device))
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        self.crew.share_gradients(trained)
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        return {name: part.item() for name, part in parts.items()}

    def _keep(self, optimiser: torch.optim.Optimizer, step: int) -> None:
        if step % CHECK_STEPS == 0 or step == self.preset.language.steps:
            note(self.folder, stage="language", step=step, **check(self, self.validation))
        if step % SAVE_STEPS == 0 or step == self.preset.language.steps:
            save(self.folder / "model.pt", model=self.model.state_dict(), optimiser=optimiser.state_dict(), step=step)


def train(
    preset: Preset, world: Path, folder: Path, device: str, crew: Crew = ALONE, finished: Path | None = None
) -> None:
    """Run or resume stage B; `finished`: a model to teach on, in place of a beginning."""
    Run(preset, world, folder, device, crew, finished).train()


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--start-from", type=Path, help="the folder of a finished model to teach on")
    options = parser.parse_args()
    prepare(options.device, options.folder)
    preset = read_preset(options.preset)
    train(preset, options.world, options.folder, options.device, join_crew(), options.start_from)


if __name__ == "__main__":
    main()
