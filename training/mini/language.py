"""Stages B and C: teach the language part to match, name and answer over a frozen tower, then train all together.

python language.py --preset cpu.toml --world WORLD.npz --folder FOLDER [--device cuda]  # after tower.py, same folder
"""

import argparse
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from architecture import build_model
from bank import Bank, Chunks, build_bank, plan_bank
from beginnings import balance, begin, go_on
from checks import check
from collate import Batch, collate
from crew import ALONE, Crew, join_crew
from distillation import Distillation
from gaze import gaze_loss
from lessons import Teacher, Words
from machine import (
    LOGGER,
    Progress,
    half_precision,
    load,
    note,
    optimizer,
    prepare,
    save,
    set_rate,
)
from presets import Preset, read_preset
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
BEFORE_JOINT = "before-joint.pt"  # the exported model is the mean of that and the last one
VALIDATION_IDENTITIES, VALIDATION_SCENES = 256, 300
UNSEEN = -1e30
SAMPLE = (40, 40)  # subjects and scenes on which the size of visual rows is measured
THINNED = 0.7  # share of lessons that show only a part of a picture's tokens, which leaves room for questions
GUIDED = 0.8  # share of the steps in which attention is shown its way
GUIDED_SCHOOLED = 2  # a model that goes on from an exported one is guided at every so-many-th of these steps
ROOMY = 0.12  # share of the later steps whose lessons have room for whole references of all concepts
EARLY = 0.73  # share of the steps with short lessons: few questions, until it is known who is where


def encode(model: InternVLForConditionalGeneration, pixels: Tensor) -> Tensor:
    """Turn uint8 pictures into tower features, without the class token."""
    return model.model.vision_tower(pixel_values=pixels.float() / 127.5 - 1).last_hidden_state[:, 1:]


def hidden_states(model: InternVLForConditionalGeneration, batch: Batch, features: Tensor) -> tuple[Tensor, ...]:
    """Run the language part, visual rows filled from features [picture, token]: input of every layer, last output."""
    sequence, place, picture, token = batch.rows.unbind(1)
    visual = model.model.multi_modal_projector(features[picture, token])
    embedded = model.get_input_embeddings()(batch.ids).to(visual.dtype).index_put((sequence, place), visual)
    text = model.model.language_model
    out = text(
        inputs_embeds=embedded,
        attention_mask=torch.zeros_like(batch.visible, dtype=visual.dtype).masked_fill(~batch.visible, UNSEEN),
        position_ids=batch.positions,
        use_cache=False,
        output_hidden_states=True,
    )
    return (*out.hidden_states[:-1], out.last_hidden_state)


def inner_state(model: InternVLForConditionalGeneration, states: tuple[Tensor, ...]) -> Tensor:
    """Give the normalised state at half the depth, where the owners of visual tokens are to be known."""
    text = model.model.language_model
    return text.norm(states[text.config.num_hidden_layers // 2])


def losses(
    model: InternVLForConditionalGeneration, batch: Batch, features: Tensor, *, guided: bool = True
) -> dict[str, Tensor]:
    """Compute the loss of the answers, and of the owner of every visual token (early enough for the answers to use)."""
    states = hidden_states(model, batch, features)
    inner, last = inner_state(model, states), states[-1]
    answer = _weighted(
        model.lm_head(last[batch.targets[:, 0], batch.targets[:, 1]]), batch.targets[:, 2], batch.target_weights
    )
    owner = _weighted(*owner_choice(model, inner, batch), batch.owner_weights)
    found = {"answer": answer, "owner": owner, "fact": fact_loss(model, states, batch)}
    return found | {"gaze": gaze_loss(model.model.language_model, states, batch)} if guided else found


def fact_loss(model: InternVLForConditionalGeneration, states: tuple[Tensor, ...], batch: Batch) -> Tensor:
    """Ask what is to be known at a name or the end of a picture, one layer before the answers look there."""
    if len(batch.facts) == 0:
        return states[0].sum() * 0.0
    sequence, place, right = batch.facts.unbind(1)
    text = model.model.language_model
    known = text.norm(states[text.config.num_hidden_layers // 2 + 1])[sequence, place].float()
    scores = torch.einsum("nd,ncd->nc", known, model.lm_head.weight[batch.fact_words.clamp(min=0)])
    return functional.cross_entropy(scores.masked_fill(batch.fact_words < 0, float("-inf")), right)


def owner_choice(model: InternVLForConditionalGeneration, inner: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Score the candidates for the owner of every visual token; give the scores and which candidate is right."""
    sequence, place, owner = batch.owners.unbind(1)
    candidates = batch.candidates[sequence]
    words = model.lm_head.weight[batch.candidates.clamp(min=0)]
    scores = torch.einsum("nd,ncd->nc", inner[sequence, place].float(), words[sequence])
    return scores.masked_fill(candidates < 0, float("-inf")), (candidates == owner[:, None]).int().argmax(1)


def _weighted(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    if len(target) == 0:
        return logits.sum() * 0.0
    return (functional.cross_entropy(logits.float(), target, reduction="none") * weights).sum() / weights.sum()


class Banks:
    """The bank of the current steps, rendered and encoded when its turn comes."""

    def __init__(self, preset: Preset, cast: Cast, see: Callable[[Tensor], Tensor], device: str) -> None:
        """Prepare for `preset.language.bank_steps` steps per bank; `see` makes the features of its pictures."""
        self.preset, self.cast, self.see, self.device = preset, cast, see, device
        self.epoch = -1

    @torch.no_grad()
    def features(self, pixels: Tensor) -> Tensor:
        """See pictures, some at a time."""
        with half_precision(self.device):
            parts = [self.see(part.to(self.device)) for part in pixels.split(ENCODE_BATCH)]
        return torch.cat(parts).bfloat16()

    def build(self, seed: int, epoch: int, identities: int, scenes: int) -> Bank:
        """Render and encode one bank."""
        shape = self.preset.shape
        plan = plan_bank(self.cast, seed, epoch, identities)
        chunks = Chunks(self.cast, plan, seed, epoch, scenes, shape.image_side, shape.grid)
        return build_bank(chunks, self.features, self.preset.language.workers)

    def at(self, step: int, crew: Crew) -> Bank:
        """Give the bank of a step; every process of a crew has banks of its own."""
        stage = self.preset.language
        epoch = step // stage.bank_steps
        if epoch != self.epoch:
            self.current = self.build(self.preset.seed + crew.seed, epoch, stage.bank_identities, stage.bank_scenes)
            self.epoch = epoch
            LOGGER.info("bank %d: %d pictures", epoch, len(self.current.pixels))
        return self.current


def used(batch: Batch) -> tuple[Tensor, Batch]:
    """List the pictures of the bank that a batch uses; the batch then counts among these."""
    pictures, local = batch.rows[:, 2].unique(return_inverse=True)
    rows = torch.cat([batch.rows[:, :2], local[:, None], batch.rows[:, 3:]], 1)
    return pictures, Batch(**{**vars(batch), "rows": rows})


def groups(model: InternVLForConditionalGeneration, distillation: Distillation | None = None) -> list[dict[str, Any]]:
    """List what is trained: language part and projector; with a teacher its head and, more slowly, the tower."""
    tower = set(map(id, model.model.vision_tower.parameters()))
    rest = [parameter for parameter in model.parameters() if id(parameter) not in tower]
    own = [{"params": rest, "factor": 1.0}]
    if distillation is None:
        return own
    slower = {"params": list(model.model.vision_tower.parameters()), "factor": JOINT_TOWER_FACTOR}
    return [*own, slower, {"params": list(distillation.head.parameters()), "factor": 1.0}]


class Run:
    """One training run: model, data, where it stands."""

    def __init__(
        self, preset: Preset, world: Path, folder: Path, device: str, crew: Crew, start_from: Path | None
    ) -> None:
        """Load the tower of stage A, and the state of an earlier run or an exported model to go on from."""
        torch.manual_seed(preset.seed)
        assets = read_pack(world)
        self.preset, self.folder, self.device, self.crew = preset, folder, device, crew
        self.tokenizer = run_tokenizer(folder, preset.shape.vocabulary, preset.seed, start_from)
        self.words = Words(self.tokenizer)
        self.model = build_model(preset.shape, self.tokenizer).to(device)
        self.model.set_attn_implementation("eager")  # for some hundred tokens faster than fused attention on a CPU
        self.schooled = start_from is not None
        self.cast = Cast(assets, "train")
        self.banks = Banks(preset, self.cast, self._encode, device)
        self.validation_banks = Banks(preset, Cast(assets, "val"), self._encode, device)
        self.distillation: Distillation | None = None
        self.validation: Bank | None = None
        self.state = load(folder / "model.pt", device)
        self._restore(start_from)

    def _encode(self, pixels: Tensor) -> Tensor:
        return encode(self.model, pixels)

    def _restore(self, start_from: Path | None) -> None:
        if self.state:
            self.model.load_state_dict(self.state["model"])
            return
        tower = load(self.folder / "tower.pt", self.device)
        if start_from:
            go_on(self.model, start_from, tower)
        elif tower:
            begin(self.model, tower)
            seen = self.banks.build(self.preset.seed, 0, *SAMPLE).features  # the same in every process of a crew
            balance(self.model.model.multi_modal_projector, seen.flatten(0, 1))
        else:
            raise FileNotFoundError(f"no tower.pt in {self.folder}; run tower.py with the same --folder first")

    def stage(self, first: int, last: int, *, joint: bool) -> None:
        """Train the steps first..last - 1."""
        settings = self.preset.language
        rate = settings.joint_rate if joint else settings.rate
        if joint:
            self._call_teacher()
        optimiser = optimizer(groups(self.model, self.distillation), rate)
        start = self._resume(optimiser, first, last, joint)
        if joint and start == first and self.crew.leads:
            save(self.folder / BEFORE_JOINT, model=self.model.state_dict())
        progress = Progress(last)
        with ThreadPoolExecutor(1) as pool:
            ahead: Future[Batch] | None = None
            for step in range(start, last):
                bank = self.banks.at(step, self.crew)
                batch = ahead.result() if ahead else self.draw(bank, step, joint)
                same_bank = (step + 1) // settings.bank_steps == self.banks.epoch and step + 1 < last
                ahead = pool.submit(self.draw, bank, step + 1, joint) if same_bank else None
                set_rate(optimiser, rate, step - first, last - first)
                parts = self._step(optimiser, bank, batch, guided=self._guided(step))
                if self.crew.leads:
                    progress(step, parts)
                    self._keep(optimiser, step, last, joint)

    def _call_teacher(self) -> None:
        """In the joint stage the tower's features are computed anew in every step: banks hold the teacher's instead."""
        shape = self.preset.shape
        self.distillation = Distillation(shape.vision_width, shape.image_side, self.cast.backdrops, self.device)
        if self.state and self.state.get("head"):
            self.distillation.head.load_state_dict(self.state["head"])
        self.banks = Banks(self.preset, self.cast, self.distillation.targets, self.device)

    def _guided(self, step: int) -> bool:
        return step < GUIDED * self.preset.language.steps and not (self.schooled and step % GUIDED_SCHOOLED)

    def _resume(self, optimiser: torch.optim.Optimizer, first: int, last: int, joint: bool) -> int:
        if not self.state or self.state["step"] <= first:
            return first
        if self.state["step"] < last and self.state["joint"] == joint:
            optimiser.load_state_dict(self.state["optimiser"])
        LOGGER.info("resumed at step %d", self.state["step"])
        return int(self.state["step"])

    def draw(self, bank: Bank, step: int, joint: bool) -> Batch:
        """Write this process's lessons of one step; the same for the same seed, step and process."""
        stage = self.preset.language
        rng = np.random.default_rng([self.preset.seed, 2, step, self.crew.rank])
        count = (stage.joint_sequences if joint else stage.sequences) // self.crew.size
        progress = 1.0 if self.schooled else min(1.0, step / stage.steps)
        late = progress >= EARLY
        roomy = late and np.random.default_rng([self.preset.seed, 3, step]).random() < ROOMY  # the same for all
        length = stage.length if late and not roomy else stage.early_length
        teacher = Teacher(bank, self.words, length, self.preset.shape.grid**2, thinned=THINNED, roomy=roomy)
        lessons = [teacher.lesson(rng, progress) for _ in range(max(1, count // 2) if roomy else count)]
        return collate(lessons, self.tokenizer.pad_token_id)

    def _step(self, optimiser: torch.optim.Optimizer, bank: Bank, batch: Batch, *, guided: bool) -> dict[str, float]:
        pictures, local = used(batch)
        seen = bank.features[pictures.to(bank.features.device)].to(self.device)
        with half_precision(self.device):
            features = encode(self.model, bank.pixels[pictures].to(self.device)) if self.distillation else seen
            parts = losses(self.model, local.to(self.device), features, guided=guided)
            if self.distillation:
                parts["teacher"] = self.distillation.loss(features, seen)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        trained = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        self.crew.share_gradients(trained)
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        return {name: part.item() for name, part in parts.items()}

    @torch.no_grad()
    def predictions(self, bank: Bank, batch: Batch) -> tuple[list[bool], list[bool]]:
        """Tell for each answer token, and each visual token of a remembered subject, whether it is predicted."""
        pictures, local = used(batch)
        moved, features = local.to(self.device), bank.features[pictures.to(bank.features.device)].to(self.device)
        with half_precision(self.device):
            states = hidden_states(self.model, moved, features)
            answers = predicted(self.model, states[-1], moved.targets)
            scores, right = owner_choice(self.model, inner_state(self.model, states), moved)
            owners = scores.argmax(1) == right
        return answers.tolist(), owners[moved.owners[:, 2] != self.words.nothing].tolist()

    def _validation(self) -> Bank:
        """Give the validation bank as the tower sees it now."""
        if self.validation is None:
            size = (VALIDATION_IDENTITIES, VALIDATION_SCENES)
            self.validation = self.validation_banks.build(self.preset.seed + 1, 0, *size)
        elif self.distillation:
            pixels = self.validation.pixels
            self.validation = replace(self.validation, features=self.validation_banks.features(pixels))
        return self.validation

    def _keep(self, optimiser: torch.optim.Optimizer, step: int, last: int, joint: bool) -> None:
        if (step + 1) % CHECK_STEPS == 0 or step + 1 == last:
            figures = check(self, self._validation())
            note(self.folder, stage="joint" if joint else "language", step=step + 1, **figures)
        if (step + 1) % SAVE_STEPS == 0 or step + 1 == last:
            state = {"model": self.model.state_dict(), "optimiser": optimiser.state_dict()}
            head = self.distillation.head.state_dict() if self.distillation else None
            save(self.folder / "model.pt", **state, head=head, step=step + 1, joint=joint)


def predicted(model: InternVLForConditionalGeneration, hidden: Tensor, wanted: Tensor) -> Tensor:
    """Tell where the likeliest token is the wanted one."""
    return model.lm_head(hidden[wanted[:, 0], wanted[:, 1]]).argmax(-1) == wanted[:, 2]


def train(
    preset: Preset, world: Path, folder: Path, device: str, crew: Crew = ALONE, start_from: Path | None = None
) -> None:
    """Run or resume stages B and C."""
    run = Run(preset, world, folder, device, crew, start_from)
    steps = preset.language.steps
    run.stage(0, steps, joint=False)
    run.stage(steps, steps + preset.language.joint_steps, joint=True)


def main() -> None:
    """Read the command line and train both stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--world", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--start-from", type=Path, help="an exported model to go on from")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    prepare(options.device, options.folder)
    preset = read_preset(options.preset)
    train(preset, options.world, options.folder, options.device, join_crew(), options.start_from)


if __name__ == "__main__":
    main()
