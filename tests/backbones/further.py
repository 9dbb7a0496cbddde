"""More real architectures in miniature; the contract runs on them with `make test-families`, a short form of it always.

Importing this module adds them to `tiny.MINIATURES`.
"""

from typing import Any

import transformers

from tests.backbones.tiny import (
    CHATML,
    HEAD_SIZE,
    MINIATURES,
    QWEN,
    WIDTH,
    Miniature,
    Words,
    qwen_images,
    square,
    text_config,
    token,
    vision_config,
)

GLM = Words(
    (
        *("[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|begin_of_image|>", "<|end_of_image|>", "<|image|>"),
        *("<|video|>", "<|begin_of_video|>", "<|end_of_video|>"),
    ),
    "[gMASK]<sop>{% for m in messages %}<|{{ m['role'] }}|>\n{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "<|begin_of_image|><|image|><|end_of_image|>{% elif c['type'] == 'video' %}<|begin_of_video|><|video|>"
    "<|end_of_video|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
    "<|user|>",
    unmarked=("<think>", "</think>", "<answer>", "</answer>", "<|begin_of_box|>", "<|end_of_box|>"),
)
# As published: a blank between the parts of a turn is the user's own, words are not moved.
MISTRAL = Words(
    ("<s>", "[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]"),
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST]{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}[IMG]{% else %}{{ c['text'] }}{% endif %}{% endfor %}[/INST]{% else %}"
    "{% for c in m['content'] %}{{ c['text'] }}{% endfor %}<|endoftext|>{% endif %}{% endfor %}",
    "<|endoftext|>",
    {"image_token": "[IMG]"},
    bos="<s>",
)
ROWS_AND_COLUMNS = tuple(f"<|img_row_{row}_col_{col}|>" for row in range(1, 11) for col in range(1, 11))
LFM = Words(
    ("<|startoftext|>", "<image>", "<|image_start|>", "<|image_end|>", "<|img_thumbnail|>", *ROWS_AND_COLUMNS),
    "{{ bos_token }}" + CHATML.replace("IMAGE", "<image>"),
    "<|im_end|>",
    {
        "image_token": "<image>",
        "image_start_token": "<|image_start|>",
        "image_end_token": "<|image_end|>",
        "image_thumbnail": "<|img_thumbnail|>",
    },
    bos="<|startoftext|>",
)
AYA = Words(
    (
        *("<BOS_TOKEN>", "<image>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>"),
        *("<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "TILE", "TILE_GLOBAL"),
    ),
    "{{ bos_token }}{% for m in messages %}<|START_OF_TURN_TOKEN|>{{ m['role'] }}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% endif %}{% endfor %}{% for c in m['content'] %}"
    "{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}<|END_OF_TURN_TOKEN|>{% endfor %}"
    "{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|>assistant{% endif %}",
    "<|END_OF_TURN_TOKEN|>",
    {"image_token": "<image>"},
    bos="<BOS_TOKEN>",
)
DEEPSEEK = Words(
    ("<begin>", "<image_placeholder>"),
    "{% for m in messages %}{{ m['role'] | capitalize }}: {% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "<image_placeholder>{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% if m['role'] == 'assistant' %}<|endoftext|>"
    "{% else %}\n\n{% endif %}{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}",
    "<|endoftext|>",
    {"image_token": "<image_placeholder>"},
)


def qwen2_vl(family: str) -> Any:
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 2, 2]}
    return transformers.Qwen2VLConfig(
        vision_config={"depth": 2, "embed_dim": 32, "hidden_size": WIDTH, "num_heads": 4, "mlp_ratio": 2},
        text_config=text_config(family, rope_parameters=rope),
        image_token_id=token(family, "<|image_pad|>"),
        video_token_id=token(family, "<|video_pad|>"),
        vision_start_token_id=token(family, "<|vision_start|>"),
        vision_end_token_id=token(family, "<|vision_end|>"),
    )


def glm(family: str) -> Any:
    kind = transformers.Glm46VConfig if family == "glm46v" else transformers.Glm4vConfig
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3], "partial_rotary_factor": 1.0}
    return kind(
        vision_config={
            "model_type": "glm4v_vision",
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 4,
            "intermediate_size": 64,
            "out_hidden_size": WIDTH,
        },
        text_config=text_config(family, model_type="glm4v_text", head_dim=HEAD_SIZE, rope_parameters=rope),
        image_token_id=token(family, "<|image|>"),
        video_token_id=token(family, "<|video|>"),
        image_start_token_id=token(family, "<|begin_of_image|>"),
        image_end_token_id=token(family, "<|end_of_image|>"),
        video_start_token_id=token(family, "<|begin_of_video|>"),
        video_end_token_id=token(family, "<|end_of_video|>"),
    )


def pixtral_tower() -> dict[str, Any]:
    return vision_config(model_type="pixtral", image_size=224, patch_size=14, head_dim=8)


def mistral3(family: str) -> Any:
    return transformers.Mistral3Config(
        vision_config=pixtral_tower(),
        text_config=text_config(family, model_type="mistral", head_dim=HEAD_SIZE, sliding_window=None),
        image_token_index=token(family, "[IMG]"),
        tie_word_embeddings=False,
    )


def pixtral(family: str) -> Any:
    return transformers.LlavaConfig(
        vision_config=pixtral_tower(),
        text_config=text_config(family, model_type="mistral", head_dim=HEAD_SIZE, sliding_window=None),
        image_token_index=token(family, "[IMG]"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )


def lfm2_vl(family: str) -> Any:
    return transformers.Lfm2VlConfig(
        vision_config=vision_config(model_type="siglip2_vision_model", num_patches=64, patch_size=16),
        text_config=text_config(
            family,
            model_type="lfm2",
            layer_types=["conv", "full_attention", "conv", "full_attention"],
            block_auto_adjust_ff_dim=False,
        ),
        image_token_id=token(family, "<image>"),
        projector_hidden_size=64,
    )


def aya_vision(family: str) -> Any:
    return transformers.AyaVisionConfig(
        vision_config=vision_config(
            model_type="siglip_vision_model", image_size=112, patch_size=14, vision_use_head=False
        ),
        text_config=text_config(family, model_type="cohere2", sliding_window=24, layer_types=None),
        image_token_index=token(family, "<|IMG_PATCH|>"),
    )


def deepseek_vl(family: str) -> Any:
    return transformers.DeepseekVLConfig(
        vision_config=vision_config(
            model_type="siglip_vision_model", image_size=56, patch_size=14, vision_use_head=False
        ),
        text_config=text_config(family, model_type="llama"),
        image_token_id=token(family, "<image_placeholder>"),
        tie_word_embeddings=False,
    )


PIXTRAL_IMAGES = {
    "image_processor_type": "PixtralImageProcessor",
    "size": {"longest_edge": 224},
    "patch_size": {"height": 14, "width": 14},
}
GLM_SIZE = {"shortest_edge": 28 * 28 * 2, "longest_edge": 28 * 28 * 2048 * 2}
GOT = {"image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": True, "max_patches": 12, **square(112)}
FURTHER_MINIATURES = {
    "qwen2_vl": Miniature(QWEN, qwen2_vl, qwen_images(14), {"processor_class": "Qwen2VLProcessor"}),
    "glm4v": Miniature(
        GLM,
        glm,
        {"image_processor_type": "Glm4vImageProcessor", "size": GLM_SIZE},
        {"processor_class": "Glm4vProcessor"},
    ),
    "glm46v": Miniature(
        GLM,
        glm,
        {"image_processor_type": "Glm46VImageProcessor", "size": GLM_SIZE},
        {"processor_class": "Glm46VProcessor"},
    ),
    "mistral3": Miniature(
        MISTRAL,
        mistral3,
        PIXTRAL_IMAGES,
        {"processor_class": "PixtralProcessor", "patch_size": 14, "spatial_merge_size": 2, "image_token": "[IMG]"},
    ),
    "pixtral": Miniature(
        MISTRAL,
        pixtral,
        PIXTRAL_IMAGES,
        {"processor_class": "PixtralProcessor", "patch_size": 14, "image_token": "[IMG]"},
    ),
    "lfm2_vl": Miniature(
        LFM,
        lfm2_vl,
        {
            "image_processor_type": "Lfm2VlImageProcessor",
            "encoder_patch_size": 16,
            "tile_size": 128,
            "min_image_tokens": 4,
            "max_image_tokens": 16,
            "max_num_patches": 64,
            "do_image_splitting": True,
        },
        {"processor_class": "Lfm2VlProcessor"},
    ),
    "aya_vision": Miniature(
        AYA, aya_vision, GOT, {"processor_class": "AyaVisionProcessor", "img_size": 112, "patch_size": 28}
    ),
    "deepseek_vl": Miniature(
        DEEPSEEK,
        deepseek_vl,
        {"image_processor_type": "DeepseekVLImageProcessor", **square(56), "min_size": 14},
        {"processor_class": "DeepseekVLProcessor", "num_image_tokens": 16},
    ),
}
MINIATURES.update(FURTHER_MINIATURES)
FURTHER = tuple(FURTHER_MINIATURES)
NEED_TORCHVISION = ("mistral3", "pixtral", "lfm2_vl")
"""Families whose processors transformers offers with torchvision only."""
