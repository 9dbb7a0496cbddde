"""Quantized checkpoints: loaded and proved like others, with the same fingerprint every time.

Those of bitsandbytes, torchao and compressed-tensors are made here where the packages are installed; FP8 needs none,
and on a CPU transformers turns it back into bfloat16.
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
LARGEST_FP8, LARGEST_INT8 = 448.0, 127


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
    def in_blocks(name: str, weight: torch.Tensor) -> dict[str, torch.Tensor]:
        rows, cols = weight.shape
        blocks = weight.reshape(rows // BLOCK, BLOCK, cols // BLOCK, BLOCK)
        scale = blocks.abs().amax((1, 3)) / LARGEST_FP8
        quantized = (blocks / scale[:, None, :, None]).reshape(rows, cols).to(torch.float8_e4m3fn)
        return {name: quantized, f"{name}_scale_inv": scale}

    folder = stored_by(tmp_path, in_blocks)
    told = {"quant_method": "fp8", "weight_block_size": [BLOCK, BLOCK], "modules_to_not_convert": ["visual", "lm_head"]}
    require_those_of(load(FAMILY), folder, told)


def test_compressed_tensors_are_proved_and_known_again(
    tmp_path: Path, load: Callable[..., HuggingFaceBackbone]
) -> None:
    helpers = pytest.importorskip("compressed_tensors.compressors.pack_quantized.helpers")

    def packed(name: str, weight: torch.Tensor) -> dict[str, torch.Tensor]:
        scale = weight.abs().amax(1, keepdim=True) / LARGEST_INT8
        whole = (weight / scale).round().to(torch.int8)
        parts = {"packed": helpers.pack_to_int32(whole, 8), "shape": torch.tensor(weight.shape)}
        return {f"{name}_{part}": value for part, value in {**parts, "scale": scale.to(torch.bfloat16)}.items()}

    folder = stored_by(tmp_path, packed)
    weights = {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True}
    told = {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
        "ignore": ["lm_head", "re:.*visual.*"],
    }
    require_those_of(load(FAMILY), folder, told)


def stored_by(folder: Path, quantized: Callable[[str, torch.Tensor], dict[str, torch.Tensor]]) -> Path:
    """Write a checkpoint whose decoder is quantized, everything else in bfloat16, as published ones are."""
    stored: dict[str, torch.Tensor] = {}
    for name, weight in load_file(tiny.save(FAMILY, folder) / "model.safetensors").items():
        in_decoder = name.endswith("_proj.weight") and "visual" not in name
        stored |= quantized(name, weight) if in_decoder else {name: weight.to(torch.bfloat16)}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def require_those_of(whole: HuggingFaceBackbone, folder: Path, told: dict[str, Any]) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": told}))
    quantized = require_the_same_twice(folder, "bfloat16")
    assert quantized.fingerprint.accepts(whole.fingerprint), "tower, projector and embedding are as they were"


def require_the_same_twice(folder: Path, dtype: str) -> HuggingFaceBackbone:
    one, other = (load_backbone(folder, dtype=dtype) for _ in range(2))
    assert isinstance(one, HuggingFaceBackbone)
    assert one.fingerprint == other.fingerprint
    image = one.encode_image(tiny.picture())
    assert one.generate(introduction_prompt(image, "describe"), max_new_tokens=2).first_logits.isfinite().all()
    return one
