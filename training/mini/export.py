"""Write a checkpoint as an ordinary Hugging Face model folder.

    python export.py --preset cpu.toml --folder FOLDER --to FOLDER

Weights are bfloat16. The folder is written beside its place and moved there in the end, so that nobody reads half
of it.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from architecture import build_model
from language import BEFORE_JOINT
from presets import Preset, Shape, read_preset
from torch import Tensor
from transformers import GenerationConfig, InternVLForConditionalGeneration, PreTrainedTokenizerFast
from vocabulary import CHAT_TEMPLATE, TURN_END, run_tokenizer

MOST_NEW_TOKENS = 48


def image_processor(shape: Shape) -> dict[str, object]:
    """Describe how pictures are prepared: one stretched view, values -1..1."""
    return {
        "image_processor_type": "GotOcr2ImageProcessor",
        "processor_class": "InternVLProcessor",
        "crop_to_patches": False,
        "min_patches": 1,
        "max_patches": 1,
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": shape.image_side, "width": shape.image_side},
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }


def generation(tokenizer: PreTrainedTokenizerFast) -> GenerationConfig:
    """Stop at the end of the turn; greedy."""
    end = tokenizer.convert_tokens_to_ids(TURN_END)
    return GenerationConfig(
        eos_token_id=end, pad_token_id=tokenizer.pad_token_id, do_sample=False, max_new_tokens=MOST_NEW_TOKENS
    )


def load_trained(preset: Preset, run: Path) -> tuple[InternVLForConditionalGeneration, PreTrainedTokenizerFast, int]:
    """Load the model of a run (after the joint stage: the mean with that before it), its tokenizer and its step."""
    tokenizer = run_tokenizer(run, preset.shape.vocabulary, preset.seed)
    model = build_model(preset.shape, tokenizer)
    state = torch.load(run / "model.pt", map_location="cpu", weights_only=True)
    weights = state["model"]
    if state["joint"] and (run / BEFORE_JOINT).exists():
        weights = mean(weights, torch.load(run / BEFORE_JOINT, map_location="cpu", weights_only=True)["model"])
    model.load_state_dict(weights)
    return model.eval(), tokenizer, state["step"]


def mean(after: Mapping[str, Tensor], before: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Average the weights after the joint stage with those before it ("WiSE-FT", Wortsman et al. 2022).

    On validation subjects the mean is better than either.
    """
    return {name: torch.lerp(before[name].float(), weight.float(), 0.5) for name, weight in after.items()}


def write_model(
    model: InternVLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, shape: Shape, folder: Path
) -> None:
    """Write everything `from_pretrained` needs."""
    model.generation_config = generation(tokenizer)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    (folder / "preprocessor_config.json").write_text(json.dumps(image_processor(shape), indent=2) + "\n")
    (folder / "model.safetensors").chmod(0o644)
    processor = {"processor_class": "InternVLProcessor", "image_seq_length": shape.grid**2}
    (folder / "processor_config.json").write_text(json.dumps(processor, indent=2) + "\n")


def export(preset: Preset, run: Path, target: Path) -> int:
    """Export a run; what stands at the target and is not rewritten (the model card) stays. Returns the step."""
    model, tokenizer, step = load_trained(preset, run)
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    if target.exists():
        shutil.copytree(target, fresh)
    write_model(model, tokenizer, preset.shape, fresh)
    old = target.with_name(f"{target.name}.old")
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return step


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    step = export(read_preset(options.preset), options.folder, options.to)
    size = (options.to / "model.safetensors").stat().st_size / 1e6
    print(f"{options.to}: step {step}, {size:.1f} MB of weights")


if __name__ == "__main__":
    main()
