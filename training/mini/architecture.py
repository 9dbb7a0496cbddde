"""The model's classes and sizes: stock InternVL, nothing of our own."""

from transformers import InternVLVisionConfig
from transformers.models.internvl.modeling_internvl import InternVLVisionModel

from presets import Shape


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
    """Build the vision tower alone; plain matrix products are faster than fused attention for 64-144 tokens on a CPU."""
    tower = InternVLVisionModel(vision_config(shape))
    tower.set_attn_implementation("eager")
    return tower
