"""Write a checkpoint as an ordinary Hugging Face model folder.

    python export.py --preset cpu.toml --folder FOLDER --to FOLDER
    python export.py ... --average-with ../../src/ego/backbones/mini --share 0.5  # after `language.py --start-from`

Weights are bfloat16. A model that was taught on keeps more of what it knew where its weights are averaged with those it
began with; `--share` is that of the new ones. The folder is written beside its place and moved there in the end, so
that nobody reads half of it.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from architecture import DEVIATION, MEAN, build_model
from presets import STRIDE, Preset, Shape, read_preset
from transformers import FastVlmForConditionalGeneration, GenerationConfig, PreTrainedTokenizerFast
from vocabulary import CHAT_TEMPLATE, IMAGE, TURN_END, run_tokenizer

MOST_NEW_TOKENS = 48
PROCESSOR = "LlavaProcessor"  # FastVLM has none of its own


def image_processor(shape: Shape) -> dict[str, object]:
    """Describe how pictures are prepared: one stretched view, values as EfficientNet-Lite0 knows them."""
    return {
        "image_processor_type": "CLIPImageProcessor",
        "processor_class": PROCESSOR,
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": shape.image_side, "width": shape.image_side},
        "resample": 3,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [MEAN / 255] * 3,
        "image_std": [DEVIATION / 255] * 3,
    }


def generation(tokenizer: PreTrainedTokenizerFast) -> GenerationConfig:
    """Stop at the end of the turn; greedy."""
    end = tokenizer.convert_tokens_to_ids(TURN_END)
    return GenerationConfig(
        eos_token_id=end, pad_token_id=tokenizer.pad_token_id, do_sample=False, max_new_tokens=MOST_NEW_TOKENS
    )


def load_trained(preset: Preset, run: Path) -> tuple[FastVlmForConditionalGeneration, PreTrainedTokenizerFast, int]:
    """Load the model of a run, its tokenizer and its step."""
    tokenizer = run_tokenizer(run, preset.shape.vocabulary, preset.seed)
    model = build_model(preset.shape, tokenizer)
    state = torch.load(run / "model.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    return model.eval(), tokenizer, state["step"]


def write_model(
    model: FastVlmForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, shape: Shape, folder: Path
) -> None:
    """Write everything `from_pretrained` needs."""
    model.generation_config = generation(tokenizer)
    model.config.ego_concepts_per_prompt = shape.concepts_per_prompt
    # What such a small model is better with, measured on validation subjects (docs/experiments.md).
    model.config.ego_concepts_per_caption = 1
    model.config.ego_answers_of_named = True
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    (folder / "preprocessor_config.json").write_text(json.dumps(image_processor(shape), indent=2) + "\n")
    (folder / "model.safetensors").chmod(0o644)
    processor = {
        "processor_class": PROCESSOR,
        "image_token": IMAGE,
        "patch_size": STRIDE,
        "num_additional_image_tokens": 0,
        "vision_feature_select_strategy": "full",
    }
    (folder / "processor_config.json").write_text(json.dumps(processor, indent=2) + "\n")


def average(model: FastVlmForConditionalGeneration, other: Path, share: float) -> None:
    """Keep `share` of the weights, and take the rest from a finished model of the same shape."""
    before = FastVlmForConditionalGeneration.from_pretrained(other, dtype=torch.float32).state_dict()
    weights = model.state_dict()
    mixed = {
        name: torch.lerp(before[name], weight, share) for name, weight in weights.items() if weight.is_floating_point()
    }
    model.load_state_dict(weights | mixed)


def export(preset: Preset, run: Path, target: Path, before: Path | None = None, share: float = 1.0) -> int:
    """Export a run; what stands at the target and is not rewritten (the model card) stays. Returns the step."""
    model, tokenizer, step = load_trained(preset, run)
    if before:
        average(model, before, share)
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
    parser.add_argument("--average-with", type=Path, help="the folder of the model that was taught on")
    parser.add_argument("--share", type=float, default=0.5, help="of the new weights in the average")
    options = parser.parse_args()
    step = export(read_preset(options.preset), options.folder, options.to, options.average_with, options.share)
    size = (options.to / "model.safetensors").stat().st_size / 1e6
    print(f"{options.to}: step {step}, {size:.1f} MB of weights")


if __name__ == "__main__":
    main()
