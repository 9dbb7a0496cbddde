"""The miniatures of the other tests, wide enough for vLLM, whose attention on a CPU takes heads of 32 and more.

Weights are spread so that words differ clearly: nearly uniform answers would be equal, or not, by chance.
"""

import json
from pathlib import Path
from typing import Any

import torch
import transformers

from tests.backbones import tiny

HEAD = 32
FAMILIES = ("internvl3", "qwen2_5_vl", "idefics3")


def save(family: str, folder: Path) -> Path:
    """Make a checkpoint with random weights of a fixed seed."""
    narrow = tiny.WIDTH, tiny.HEAD_SIZE, tiny.MINIATURES[family].config
    tiny.WIDTH, tiny.HEAD_SIZE = tiny.HEADS * HEAD, HEAD
    object.__setattr__(tiny.MINIATURES[family], "config", lambda name: _wide(narrow[2](name)))
    try:
        tiny.save(family, folder, gain=1.0)
    finally:
        tiny.WIDTH, tiny.HEAD_SIZE = narrow[:2]
        object.__setattr__(tiny.MINIATURES[family], "config", narrow[2])
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    _spread(model)
    model.save_pretrained(folder)
    _say_all_of_the_images(folder)
    return folder


def _say_all_of_the_images(folder: Path) -> None:
    """Write down every setting, as published checkpoints do: vLLM normalizes by the file, without defaults."""
    file = folder / "preprocessor_config.json"
    settings = transformers.AutoImageProcessor.from_pretrained(folder).to_dict()
    plain = {key: value for key, value in settings.items() if isinstance(value, bool | int | float | list | tuple)}
    file.write_text(json.dumps(plain | json.loads(file.read_text())))


@torch.no_grad()
def _spread(model: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    for name, parameter in sorted(model.named_parameters()):
        if parameter.ndim >= 2:
            size = 1.0 if "embed_tokens" in name else 1.2 * parameter[0].numel() ** -0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * size)
        elif "bias" in name:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)


def _wide(config: Any) -> Any:
    rope = getattr(config.text_config, "rope_parameters", None)
    if rope and "mrope_section" in rope:
        rope["mrope_section"] = [HEAD // 8, 3 * HEAD // 16, 3 * HEAD // 16]
        tower = {"hidden_size": 2 * HEAD, "num_heads": 2, "intermediate_size": 4 * HEAD, "out_hidden_size": 4 * HEAD}
        for name, value in tower.items():
            setattr(config.vision_config, name, value)
    return config
