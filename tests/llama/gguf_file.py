"""Write the decoder of a model as a GGUF file, as llama.cpp's convert_hf_to_gguf.py does for published models.

Only what the embedded model needs: a decoder of the Qwen2 line, without a tokenizer (the engine takes rows and gives
token ids).
"""

from pathlib import Path
from typing import Any

import gguf
from gguf import quants


def write(model: Any, file: Path, *, bits: str = "F32", vocabulary: int | None = None) -> Path:
    """Write the decoder of a Hugging Face model, matrices in a number format; only a part of its words, if wanted."""
    config = model.config.get_text_config()
    writer = gguf.GGUFWriter(file, "qwen2")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if config.rope_parameters["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rope_parameters["factor"])
    writer.add_tokenizer_model("none")
    words = slice(vocabulary or config.vocab_size)
    writer.add_vocab_size(words.stop)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config.num_hidden_layers)
    for name, weight in model.get_decoder().state_dict().items():
        held = weight.float().cpu()[words if name.startswith("embed_tokens") else slice(None)].numpy()
        kind = gguf.GGMLQuantizationType[bits if held.ndim > 1 else "F32"]
        place = names.get_name(f"model.{name}", (".weight", ".bias"))
        writer.add_tensor(place, quants.quantize(held, kind), raw_dtype=kind)
    assert config.tie_word_embeddings, "the output has weights of its own; write them, too"
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
