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


_PICTURES = {
    "image_processor_type": "GotOcr2ImageProcessor",
    "processor_class": "InternVLProcessor",
    "crop_to_patches": False,
    "size": {"height": _TILE_SIDE, "width": _TILE_SIDE},
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}
_PROCESSOR = {"processor_class": "InternVLProcessor", "image_seq_length": _TILE_TOKENS}


def write_random_model(folder: Path, *, layers: int = 8) -> None:
    """Write a checkpoint with random weights; words and chat format are the embedded model's."""
    tokenizer = AutoTokenizer.from_pretrained(os.environ.get(EMBEDDED_FOLDER_VARIABLE) or EMBEDDED_FOLDER)
    start, end = tokenizer.start_image_token, tokenizer.end_image_token
    placeholder = tokenizer.context_image_token
    # The processor of InternVL writes the marks around an image by itself.
    tokenizer.chat_template = tokenizer.chat_template.replace(f"{start}{placeholder}{end}", placeholder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(_PICTURES))
    (folder / "processor_config.json").write_text(json.dumps(_PROCESSOR))
    text = {"num_hidden_layers": layers, "vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    config = InternVLConfig(
        vision_config=_VISION,
        text_config=_TEXT | text,
        image_token_id=tokenizer.convert_tokens_to_ids(placeholder),
        image_seq_length=_TILE_TOKENS,
        downsample_ratio=0.5,
    )
    torch.manual_seed(_SEED)
    InternVLForConditionalGeneration(config).save_pretrained(folder)
