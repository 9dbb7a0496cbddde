"""An InternVL of realistic proportions with random weights: fit for measuring time and memory, not for answers."""

import json
import os
from pathlib import Path

import torch
from transformers import AutoTokenizer, InternVLConfig, InternVLForConditionalGeneration

from ego.backbones.loading import EMBEDDED_FOLDER, EMBEDDED_FOLDER_VARIABLE

NAME = "random InternVL: {} layers of width 896, tiles of 448 pixels and 256 tokens"
_SEED = 0
_TILE_SIDE, _TILE_TOKENS = 448, 256
_VISION = {
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "intermediate_size": 768,
    "image_size": [_TILE_SIDE, _TILE_SIDE],
    "patch_size": [14, 14],
}
_TEXT = {
    "model_type": "qwen2",
    "hidden_size": 896,
    "intermediate_size": 2432,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
}


def write_random_model(folder: Path, *, layers: int = 8) -> None:
    """Write a checkpoint with random weights; words and chat format are the embedded model's."""
    words = Path(os.environ.get(EMBEDDED_FOLDER_VARIABLE) or EMBEDDED_FOLDER)
    tokenizer = AutoTokenizer.from_pretrained(words)
    tokenizer.save_pretrained(folder)
    _copy(words, folder, "preprocessor_config.json", size={"height": _TILE_SIDE, "width": _TILE_SIDE})
    _copy(words, folder, "processor_config.json", image_seq_length=_TILE_TOKENS)
    placeholder = json.loads((words / "config.json").read_text())["image_token_id"]
    text = {"num_hidden_layers": layers, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    config = InternVLConfig(
        vision_config=_VISION,
        text_config=_TEXT | text,
        image_token_id=placeholder,
        image_seq_length=_TILE_TOKENS,
        downsample_ratio=0.5,
    )
    torch.manual_seed(_SEED)
    InternVLForConditionalGeneration(config).save_pretrained(folder)


def _copy(source: Path, target: Path, name: str, **changes: object) -> None:
    settings = json.loads((source / name).read_text())
    if "image_processor" in settings and "size" in changes:
        settings["image_processor"] |= changes
    (target / name).write_text(json.dumps({**settings, **changes}))
