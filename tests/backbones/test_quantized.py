"""Quantized checkpoints: loaded and proved like others, with the same fingerprint every time.

Those of bitsandbytes and torchao are made here where the packages are installed; FP8 needs none, and on a CPU
transformers turns it back into bfloat16.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from ego.backbones import load_backbone
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.prompt import introduction_prompt
from tests.backbones import tiny

FAMILY = "qwen2_5_vl"
BLOCK = 32
LARGEST_FP8 = 448.0


def eight_bits() -> Any:
    return transformers.BitsAndBytesConfig(load_in_8bit=True)


def four_bits() -> Any:
    kept = ["model.visual", "lm_head"]  # the miniature's tower is narrower than a block
    kind = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": torch.float32}
    return transformers.BitsAndBytesConfig(load_in_4bit=True, llm_int8_skip_modules=kept, **kind)


def int8_weights() -> Any:
    from torchao.quantization import Int8WeightOnlyConfig

    return transformers.TorchAoConfig(Int8WeightOnlyConfig())


@pytest.mark.parametrize(
    ("package", "settings"),
    [("bitsandbytes", eight_bits), ("bitsandbytes", four_bits), ("torchao", int8_weights)],
    ids=["bitsandbytes 8", "bitsandbytes 4", "torchao"],
)
def test_a_quantized_checkpoint_is_proved_and_known_again(
    tmp_path: Path, package: str, settings: Callable[[], Any]
) -> None:
    pytest.importorskip(package)
    folder = tiny.save(FAMILY, tmp_path)
    model = transformers.AutoModelForImageTextToText.from_pretrained(
        folder, quantization_config=settings(), dtype=torch.float32, device_map="cpu"
    )
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder)
    require_the_same_twice(folder, "float32")


def test_fp8_is_proved_and_known_again(tmp_path: Path, load: Callable[..., HuggingFaceBackbone]) -> None:
    folder = tiny.save(FAMILY, tmp_path)
    stored = {name: weight.to(torch.bfloat16) for name, weight in load_file(folder / "model.safetensors").items()}
    for name, weight in list(stored.items()):
        if name.endswith("_proj.weight") and "visual" not in name:
            rows, cols = weight.shape
            blocks = weight.float().reshape(rows // BLOCK, BLOCK, cols // BLOCK, BLOCK)
            scale = blocks.abs().amax((1, 3)) / LARGEST_FP8
            stored[name] = (blocks / scale[:, None, :, None]).reshape(rows, cols).to(torch.float8_e4m3fn)
            stored[name.replace(".weight", ".weight_scale_inv")] = scale
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    told = {"quant_method": "fp8", "weight_block_size": [BLOCK, BLOCK], "modules_to_not_convert": ["visual", "lm_head"]}
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": told}))
    backbone = require_the_same_twice(folder, "bfloat16")
    assert backbone.fingerprint.accepts(load(FAMILY).fingerprint), "tower, projector and embedding are as they were"


def require_the_same_twice(folder: Path, dtype: str) -> HuggingFaceBackbone:
    one, other = (load_backbone(folder, dtype=dtype) for _ in range(2))
    assert isinstance(one, HuggingFaceBackbone)
    assert one.fingerprint == other.fingerprint
    image = one.encode_image(tiny.picture())
    assert one.generate(introduction_prompt(image, "describe"), max_new_tokens=2).first_logits.isfinite().all()
    return one
