"""The model's classes and sizes: stock InternVL, nothing of our own."""

from presets import Shape
from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, PreTrainedTokenizerFast
from transformers.models.internvl.modeling_internvl import InternVLVisionModel
from vocabulary import IMAGE, TURN_END


def vision_config(shape: Shape) -> InternVLVisionConfig:
    """Size the vision tower."""
    return InternVLVisionConfig(
        hidden_size=shape.vision_width,
        num_hidden_layers=shape.vision_layers,
        num_attention_heads=shape.vision_heads,
        intermediate_size=4 * shape.vision_width,
        attention_bias=True,
        image_size=[shape.image_side, shape.image_side],
        patch_size=[shape.patch, shape.patch],
        layer_scale_init_value=1.0,
        use_mean_pooling=False,
    )


def build_tower(shape: Shape) -> InternVLVisionModel:
    """Build the vision tower alone; for 64-144 tokens plain products beat fused attention on a CPU."""
    tower = InternVLVisionModel(vision_config(shape))
    tower.set_attn_implementation("eager")
    return tower


def build_model(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> InternVLForConditionalGeneration:
    """Build the whole model: tower, projector (one visual token per patch), small Qwen2 with tied embeddings."""
    text = {
        "model_type": "qwen2",
        "vocab_size": len(tokenizer),
        "hidden_size": shape.text_width,
        "intermediate_size": shape.text_inner,
        "num_hidden_layers": shape.text_layers,
        "num_attention_heads": shape.text_heads,
        "num_key_value_heads": max(1, shape.text_heads // 2),
        "initializer_range": 0.8 * shape.text_width**-0.5,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
        "eos_token_id": tokenizer.convert_tokens_to_ids(TURN_END),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    config = InternVLConfig(
        vision_config=vision_config(shape),
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=shape.grid**2,
        downsample_ratio=1.0,
        tie_word_embeddings=True,
    )
    return InternVLForConditionalGeneration(config)
