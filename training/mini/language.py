"""Stages B and C: teach the language part to match, name and answer over a frozen tower, then train all together.

python language.py --preset cpu.toml --world WORLD.npz --run FOLDER [--device cuda]      # after tower.py, same folder
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from architecture import build_model
from bank import Bank, build_bank
from beginnings import begin
from checks import check
from collate import Batch, collate
from lessons import Teacher, Words
from machine import LOGGER, Progress, half_precision, load, note, optimizer, prepare, save, set_rate
from presets import LanguageStage, Preset, read_preset
from sources import read_pack
from subjects import Cast
from torch import Tensor, nn
from torch.nn import functional
from transformers import InternVLForConditionalGeneration
from vocabulary import run_tokenizer

ENCODE_BATCH = 64
CHECK_STEPS = 200
SAVE_STEPS = 100
JOINT_TOWER_FACTOR = 0.5
VALIDATION_IDENTITIES, VALIDATION_SCENES = 256, 300


def encode(model: InternVLForConditionalGeneration, pixels: Tensor) -> Tensor:
    """Turn uint8 pictures into tower features, without the class token."""
    return model.model.vision_tower(pixel_values=pixels.float() / 127.5 - 1).last_hidden_state[:, 1:]


def hidden_states(model: InternVLForConditionalGeneration, batch: Batch, features: Tensor) -> tuple[Tensor, Tensor]:
    """Run the language part, visual rows filled from features [picture, token]: inner and last hidden states."""
    sequence, place, picture, token = batch.rows.unbind(1)
    visual = model.model.multi_modal_projector(features[picture, token])
    embedded = model.get_input_embeddings()(batch.ids).to(visual.dtype).index_put((sequence, place), visual)
    text = model.model.language_model
    out = text(
        inputs_embeds=embedded,
        attention_mask=batch.visible,
        position_ids=batch.positions,
        use_cache=False,
        output_hidden_states=True,
    )
    naming_layer = (2 * text.config.num_hidden_layers) // 3
    return text.norm(out.hidden_states[naming_layer]), out.last_hidden_state


def losses(model: InternVLForConditionalGeneration, batch: Batch, features: Tensor) -> dict[str, Tensor]:
    """Compute the loss of the answers, and of the owner of every visual token (early enough for the answers to use)."""
    inner, last = hidden_states(model, batch, features)
    answer = _weighted(
        model.lm_head(last[batch.targets[:, 0], batch.targets[:, 1]]), batch.targets[:, 2], batch.target_weights
    )
    owner = _weighted(
        model.lm_head(inner[batch.owners[:, 0], batch.owners[:, 1]]), batch.owners[:, 2], batch.owner_weights
    )
    return {"answer": answer, "owner": owner}


def _weighted(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    if len(target) == 0:
        return logits.sum() * 0.0
    return (functional.cross_entropy(logits.float(), target, reduction="none") * weights).sum() / weights.sum()


class Banks:
    """The bank of the current steps, rendered and encoded when its turn comes."""

    def __init__(self, preset: Preset, cast: Cast, model: InternVLForConditionalGeneration, device: str) -> None:
        """Prepare for `preset.language.bank_steps` steps per bank."""
        self.preset, self.cast, self.model, self.device = preset, cast, model, device
        self.epoch = -1

    def encoder(self) -> Callable[[Tensor], Tensor]:
        """Give a function that encodes a chunk of pictures with the model as it is now."""

        @torch.no_grad()
        def run(pixels: Tensor) -> Tensor:
            with half_precision(self.device):
                return torch.cat(
                    [encode(self.model, part.to(self.device)) for part in pixels.split(ENCODE_BATCH)]
                ).bfloat16()

        return run

    def build(self, seed: int, epoch: int, identities: int, scenes: int) -> Bank:
        """Render and encode one bank."""
        shape, workers = self.preset.shape, self.preset.tower.workers
        return build_bank(
            self.cast,
            seed,
            epoch,
            identities=identities,
            scenes=scenes,
            side=shape.image_side,
            grid=shape.grid,
            encode=self.encoder(),
            workers=workers,
        )

    def at(self, step: int) -> Bank:
        """Give the bank of a step."""
        epoch = step // self.preset.language.bank_steps
        if epoch != self.epoch:
            stage = self.preset.language
            self.current, self.epoch = (
                self.build(self.preset.seed, epoch, stage.bank_identities, stage.bank_scenes),
                epoch,
            )
            LOGGER.info("bank %d: %d pictures", epoch, len(self.current.pixels))
        return self.current


def used_features(
    model: InternVLForConditionalGeneration, bank: Bank, batch: Batch, device: str, joint: bool
) -> tuple[Tensor, Batch]:
    """Give the features of the pictures a batch uses: from the bank, or (joint stage) computed anew with gradients."""
    used, local = batch.rows[:, 2].unique(return_inverse=True)
    rows = torch.cat([batch.rows[:, :2], local[:, None], batch.rows[:, 3:]], 1)
    moved = Batch(**{**vars(batch), "rows": rows}).to(device)
    if joint:
        return encode(model, bank.pixels[used].to(device)), moved
    return bank.features[used.to(bank.features.device)].to(device), moved


def draw(bank: Bank, words: Words, preset: Preset, step: int, count: int, padding: int) -> Batch:
    """Write the lessons of one step; the same for the same seed and step."""
    stage = preset.language
    rng = np.random.default_rng([preset.seed, 2, step])
    teacher = Teacher(bank, words, stage.length, preset.shape.grid**2)
    progress = min(1.0, step / stage.steps)
    return collate([teacher.lesson(rng, progress) for _ in range(count)], padding)


def groups(model: InternVLForConditionalGeneration, joint: bool) -> list[dict[str, Any]]:
    """List what is trained: the language part and projector, in the joint stage also the tower, more slowly."""
    tower = set(map(id, model.model.vision_tower.parameters()))
    rest = [parameter for parameter in model.parameters() if id(parameter) not in tower]
    own = [{"params": rest, "factor": 1.0}]
    return (
        [*own, {"params": list(model.model.vision_tower.parameters()), "factor": JOINT_TOWER_FACTOR}] if joint else own
    )


class Run:
    """One training run: model, data, where it stands."""

    def __init__(self, preset: Preset, world: Path, folder: Path, device: str) -> None:
        """Load the tower of stage A, and the state of an earlier run if there is one."""
        torch.manual_seed(preset.seed)
        assets = read_pack(world)
        self.preset, self.folder, self.device = preset, folder, device
        self.tokenizer = run_tokenizer(folder, preset.shape.vocabulary, preset.seed)
        self.words = Words(self.tokenizer)
        self.model = build_model(preset.shape, self.tokenizer).to(device)
        self.model.model.vision_tower.set_attn_implementation("eager")
        self.state = load(folder / "model.pt", device)
        self._restore()
        self.banks = Banks(preset, Cast(assets, "train"), self.model, device)
        self.validation_banks = Banks(preset, Cast(assets, "val"), self.model, device)
        self.validation: Bank | None = None

    def _restore(self) -> None:
        if self.state:
            self.model.load_state_dict(self.state["model"])
            return
        tower = load(self.folder / "tower.pt", self.device)
        if tower is None:
            raise FileNotFoundError(f"no tower.pt in {self.folder}; run tower.py with the same --run first")
        begin(self.model, tower)

    def stage(self, first: int, last: int, *, joint: bool) -> None:
        """Train the steps first..last - 1."""
        settings: LanguageStage = self.preset.language
        rate, count = (settings.joint_rate, settings.joint_sequences) if joint else (settings.rate, settings.sequences)
        optimiser = optimizer(groups(self.model, joint), rate)
        start = first
        if self.state and self.state["step"] > first:
            start = self.state["step"]
            if start < last and self.state["joint"] == joint:
                optimiser.load_state_dict(self.state["optimiser"])
        progress = Progress(last)
        with ThreadPoolExecutor(1) as pool:
            ahead = None
            for step in range(start, last):
                bank = self.banks.at(step)
                batch = ahead.result() if ahead else self._draw(bank, step, count)
                same_bank = (step + 1) // settings.bank_steps == self.banks.epoch and step + 1 < last
                ahead = pool.submit(self._draw, bank, step + 1, count) if same_bank else None
                set_rate(optimiser, rate, step - first, last - first)
                progress(step, self._step(optimiser, bank, batch, joint))
                self._keep(optimiser, step, last, joint)

    def _draw(self, bank: Bank, step: int, count: int) -> Batch:
        return draw(bank, self.words, self.preset, step, count, self.tokenizer.pad_token_id)

    def _step(self, optimiser: torch.optim.Optimizer, bank: Bank, batch: Batch, joint: bool) -> dict[str, float]:
        with half_precision(self.device):
            features, moved = used_features(self.model, bank, batch, self.device, joint)
            parts = losses(self.model, moved, features)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        optimiser.step()
        return {name: part.item() for name, part in parts.items()}

    @torch.no_grad()
    def predictions(self, bank: Bank, batch: Batch) -> tuple[list[bool], list[bool]]:
        """Tell for each answer token, and each visual token of a remembered subject, whether it is predicted."""
        with half_precision(self.device):
            features, moved = used_features(self.model, bank, batch, self.device, joint=False)
            inner, last = hidden_states(self.model, moved, features)
            answers = (
                self.model.lm_head(last[moved.targets[:, 0], moved.targets[:, 1]]).argmax(-1) == moved.targets[:, 2]
            )
            owners = self.model.lm_head(inner[moved.owners[:, 0], moved.owners[:, 1]]).argmax(-1) == moved.owners[:, 2]
        return answers.tolist(), owners[moved.owners[:, 2] != self.words.nothing].tolist()

    def _keep(self, optimiser: torch.optim.Optimizer, step: int, last: int, joint: bool) -> None:
        if (step + 1) % CHECK_STEPS == 0 or step + 1 == last:
            if self.validation is None or joint:
                self.validation = self.validation_banks.build(
                    self.preset.seed + 1, 0, VALIDATION_IDENTITIES, VALIDATION_SCENES
                )
            note(self.folder, stage="joint" if joint else "language", step=step + 1, **check(self, self.validation))
        if (step + 1) % SAVE_STEPS == 0 or step + 1 == last:
            state = {
                "model": self.model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step + 1,
                "joint": joint,
            }
            save(self.folder / "model.pt", **state)


def train(preset: Preset, world: Path, folder: Path, device: str) -> None:
    """Run or resume stages B and C."""
    run = Run(preset, world, folder, device)
    steps = preset.language.steps
    run.stage(0, steps, joint=False)
    run.stage(steps, steps + preset.language.joint_steps, joint=True)


def main() -> None:
    """Read the command line and train both stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    prepare(options.device, options.run)
    train(read_preset(options.preset), options.world, options.run, options.device)


if __name__ == "__main__":
    main()
