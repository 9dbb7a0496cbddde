"""Real architectures in miniature that stand in no list of this package: exact, or refused with a reason."""

import dataclasses
from typing import Any

import transformers

from tests.backbones.further import AYA, DEEPSEEK, GLM, PIXTRAL_IMAGES, pixtral_tower
from tests.backbones.tiny import (
    CHATML,
    CLIP,
    HEAD_SIZE,
    LLAVA_NEXT,
    MINIATURES,
    NEXT_PINPOINTS,
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

OVIS = Words(
    ("<image>", "<IMG_ATOM>", "<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>"),
    CHATML.replace("IMAGE", "<image>\n"),
    "<|im_end|>",
    {"image_token": "<image>"},
)
JANUS = Words(
    ("<begin>", "<image_placeholder>", "<begin_of_image>", "<end_of_image>"),
    DEEPSEEK.template,
    "<|endoftext|>",
    {"image_token": "<image_placeholder>", "boi_token": "<begin_of_image>", "eoi_token": "<end_of_image>"},
)
COHERE = Words(
    AYA.special,
    AYA.template.replace("<image>", "<|IMG_PATCH|>"),
    AYA.end,
    {
        "image_token": "<|IMG_PATCH|>",
        "boi_token": "<|START_OF_IMG|>",
        "eoi_token": "<|END_OF_IMG|>",
        "img_line_break_token": "<|IMG_LINE_BREAK|>",
    },
    bos=AYA.bos,
)
LIGHT_ON = Words(
    ("<|image_pad|>", "<|vision_pad|>", "<|vision_end|>"),
    CHATML.replace("IMAGE", "<|image_pad|>"),
    "<|im_end|>",
    {"image_token": "<|image_pad|>", "image_break_token": "<|vision_pad|>", "image_end_token": "<|vision_end|>"},
)
ERNIE_MARKS = tuple(f"<|{kind}_{name}|>" for kind in ("IMAGE", "VIDEO") for name in ("PLACEHOLDER", "START", "END"))
ERNIE = Words(
    ERNIE_MARKS,
    CHATML.replace("IMAGE", "Picture 1:<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>"),
    "<|im_end|>",
    {
        f"{kind.lower()}_{key}": f"<|{kind}_{name}|>"
        for kind in ("IMAGE", "VIDEO")
        for key, name in (("token", "PLACEHOLDER"), ("start_token", "START"), ("end_token", "END"))
    },
)
HUNYUAN = Words(
    ("<image_start>", "<image>", "<image_end>", "<image_newline>"),
    CHATML.replace("IMAGE", "<image_start><image><image_end>"),
    "<|im_end|>",
    {"image_token": "<image>", "image_start_token": "<image_start>", "image_end_token": "<image_end>"},
)
NEXT_VIDEO = Words(
    ("<s>", "<image>", "<video>"),
    LLAVA_NEXT.template.replace(
        "{% if c['type'] == 'image' %}<image>\n{% endif %}",
        "{% if c['type'] == 'image' %}<image>\n{% elif c['type'] == 'video' %}<video>\n{% endif %}",
    ),
    LLAVA_NEXT.end,
    {"image_token": "<image>", "video_token": "<video>"},
    bos="<s>",
    kind="llama",
)


def siglip(**more: Any) -> dict[str, Any]:
    shape = {"model_type": "siglip_vision_model", "image_size": 56, "patch_size": 14, "vision_use_head": False}
    return vision_config(**{**shape, **more})


def ovis2(family: str) -> Any:
    marks = [token(family, f"<IMG_{name}>") for name in ("START", "GRID", "COL", "ROW", "END")]
    return transformers.Ovis2Config(
        vision_config=vision_config(image_size=56, patch_size=14, vocab_size=64, hidden_stride=2),
        text_config=text_config(family, model_type="qwen2"),
        image_token_id=token(family, "<IMG_ATOM>"),
        visual_indicator_token_ids=marks,
        hidden_size=WIDTH,
        vocab_size=text_config(family)["vocab_size"],
        tie_word_embeddings=False,
    )


def janus(family: str) -> Any:
    return transformers.JanusConfig(
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": 56,
            "patch_size": 14,
            "mlp_ratio": 2.0,
            "projection_dim": WIDTH,
            "num_image_tokens": 16,
        },
        vq_config={
            "base_channels": 32,
            "channel_multiplier": [1, 1],
            "num_res_blocks": 1,
            "num_embeddings": 16,
            "latent_channels": 32,
            "projection_dim": WIDTH,
            "image_token_embed_dim": WIDTH,
            "num_patches": 4,
        },
        text_config=text_config(family, model_type="llama"),
        image_token_id=token(family, "<image_placeholder>"),
        tie_word_embeddings=False,
    )


def deepseek_vl_hybrid(family: str) -> Any:
    sam = {
        "model_type": "sam_vision_model",
        "hidden_size": 32,
        "output_channels": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 64,
        "patch_size": 8,
        "global_attn_indexes": [1],
        "window_size": 4,
        "mlp_dim": 64,
    }
    return transformers.DeepseekVLHybridConfig(
        vision_config=siglip(image_size=96, patch_size=48),
        high_res_vision_config=sam,
        text_config=text_config(family, model_type="llama"),
        image_token_id=token(family, "<image_placeholder>"),
        tie_word_embeddings=False,
    )


def llava_next_video(family: str) -> Any:
    return transformers.LlavaNextVideoConfig(
        vision_config=vision_config(model_type="clip_vision_model", image_size=56, patch_size=14, projection_dim=32),
        text_config=text_config(family, model_type="llama"),
        image_token_index=token(family, "<image>"),
        video_token_index=token(family, "<video>"),
        image_grid_pinpoints=NEXT_PINPOINTS,
        vision_feature_layer=-1,
    )


def exaone(family: str) -> Any:
    return transformers.Exaone4_5_Config(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 4,
            "num_key_value_heads": 2,
            "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [1],
        },
        text_config=text_config(
            family, model_type="exaone4", head_dim=HEAD_SIZE, layer_types=["full_attention"] * 4, sliding_window=None
        ),
        image_token_id=token(family, "<|image_pad|>"),
        video_token_id=token(family, "<|video_pad|>"),
    )


def glm_ocr(family: str) -> Any:
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3], "partial_rotary_factor": 1.0}
    return transformers.GlmOcrConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 4,
            "intermediate_size": 64,
            "out_hidden_size": WIDTH,
        },
        text_config=text_config(family, head_dim=HEAD_SIZE, rope_parameters=rope),
        image_token_id=token(family, "<|image|>"),
        video_token_id=token(family, "<|video|>"),
        image_start_token_id=token(family, "<|begin_of_image|>"),
        image_end_token_id=token(family, "<|end_of_image|>"),
        video_start_token_id=token(family, "<|begin_of_video|>"),
        video_end_token_id=token(family, "<|end_of_video|>"),
    )


def ernie(family: str) -> Any:
    rope = {"rope_type": "default", "rope_theta": 5e5, "mrope_section": [2, 2, 4]}
    ids = {
        f"{kind}_{end}token_id": token(family, f"<|{kind.upper()}_{name}|>")
        for kind in ("image", "video")
        for end, name in (("start_", "START"), ("end_", "END"))
    }
    return transformers.Ernie4_5_VLMoeConfig(
        vision_config={"depth": 2, "hidden_size": 32, "num_heads": 4, "intermediate_size": 64},
        text_config=text_config(
            family,
            rope_parameters=rope,
            moe_intermediate_size=[32, 32],
            moe_k=2,
            moe_num_experts=4,
            moe_num_shared_experts=1,
            mlp_layer_types=["dense", "sparse", "sparse", "sparse"],
        ),
        image_token_id=token(family, "<|IMAGE_PLACEHOLDER|>"),
        video_token_id=token(family, "<|VIDEO_PLACEHOLDER|>"),
        tie_word_embeddings=False,
        **ids,
    )


def hunyuan(family: str) -> Any:
    return transformers.HunYuanVLConfig(
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "out_hidden_size": WIDTH,
            "text_hidden_size": WIDTH,
        },
        text_config=text_config(
            family,
            head_dim=HEAD_SIZE,
            rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 2, 2]},
        ),
        image_token_id=token(family, "<image>"),
        im_start_id=token(family, "<image_start>"),
        im_end_id=token(family, "<image_end>"),
        im_newline_id=token(family, "<image_newline>"),
        tie_word_embeddings=False,
    )


def paddle(family: str) -> Any:
    rope = {"rope_type": "default", "rope_theta": 5e5, "mrope_section": [4, 2, 2]}
    return transformers.PaddleOCRVLConfig(
        vision_config=vision_config(image_size=56, patch_size=14),
        text_config=text_config(family, head_dim=HEAD_SIZE, rope_parameters=rope),
        image_token_id=token(family, "<|image_pad|>"),
        video_token_id=token(family, "<|video_pad|>"),
        vision_start_token_id=token(family, "<|vision_start|>"),
        vision_end_token_id=token(family, "<|vision_end|>"),
        tie_word_embeddings=False,
    )


def cohere2_vision(family: str) -> Any:
    return transformers.Cohere2VisionConfig(
        vision_config=siglip(image_size=112),
        text_config=text_config(family, model_type="cohere2", sliding_window=24, layer_types=None),
        image_token_id=token(family, "<|IMG_PATCH|>"),
        alignment_intermediate_size=64,
    )


def lighton_ocr(family: str) -> Any:
    return transformers.LightOnOcrConfig(
        vision_config=pixtral_tower(),
        text_config=text_config(family, model_type="qwen3", head_dim=HEAD_SIZE),
        image_token_id=token(family, "<|image_pad|>"),
        tie_word_embeddings=False,
    )


UNLISTED_MINIATURES = {
    "ovis2": Miniature(
        OVIS,
        ovis2,
        {"image_processor_type": "Ovis2ImageProcessor", "crop_to_patches": True, **square(56)},
        {"processor_class": "Ovis2Processor", "image_seq_length": 4},
    ),
    "janus": Miniature(
        JANUS,
        janus,
        {"image_processor_type": "JanusImageProcessor", **square(56), "min_size": 14},
        {"processor_class": "JanusProcessor", "num_image_tokens": 16},
    ),
    "deepseek_vl_hybrid": Miniature(
        DEEPSEEK,
        deepseek_vl_hybrid,
        {
            "image_processor_type": "DeepseekVLHybridImageProcessor",
            **square(96),
            "high_res_size": square(64)["size"],
            "min_size": 14,
        },
        {"processor_class": "DeepseekVLHybridProcessor", "num_image_tokens": 4},
    ),
    "llava_next_video": Miniature(
        NEXT_VIDEO,
        llava_next_video,
        {**MINIATURES["llava_next"].images},
        {"processor_class": "LlavaNextVideoProcessor", **CLIP},
    ),
    "exaone4_5": Miniature(QWEN, exaone, qwen_images(14), {"processor_class": "Exaone4_5_Processor"}),
    "glm_ocr": Miniature(
        GLM,
        glm_ocr,
        {
            "image_processor_type": "Glm46VImageProcessor",
            "size": {"shortest_edge": 28 * 28 * 2, "longest_edge": 28 * 28 * 2048 * 2},
        },
        {"processor_class": "Glm46VProcessor"},
    ),
    "ernie4_5_vl_moe": Miniature(
        ERNIE,
        ernie,
        {**qwen_images(14), "image_processor_type": "Ernie4_5_VLMoeImageProcessor"},
        {"processor_class": "Ernie4_5_VLMoeProcessor"},
    ),
    "hunyuan_vl": Miniature(
        HUNYUAN,
        hunyuan,
        {"image_processor_type": "HunYuanVLImageProcessor"},
        {"processor_class": "HunYuanVLProcessor"},
    ),
    "paddleocr_vl": Miniature(
        dataclasses.replace(QWEN, named={"image_token": "<|image_pad|>"}),
        paddle,
        {"image_processor_type": "PaddleOCRVLImageProcessor"},
        {"processor_class": "PaddleOCRVLProcessor"},
    ),
    "cohere2_vision": Miniature(
        COHERE,
        cohere2_vision,
        {
            "image_processor_type": "Cohere2VisionImageProcessor",
            "crop_to_patches": True,
            "max_patches": 12,
            "patch_size": 4,  # of which its processor takes the square for the tokens of a tile
            **square(112),
        },
        {"processor_class": "Cohere2VisionProcessor"},
    ),
    "lighton_ocr": Miniature(
        LIGHT_ON,
        lighton_ocr,
        PIXTRAL_IMAGES,
        {"processor_class": "LightOnOcrProcessor", "patch_size": 14, "spatial_merge_size": 2},
    ),
}
MINIATURES.update(UNLISTED_MINIATURES)
EXACT = tuple(name for name in UNLISTED_MINIATURES if name not in ("ernie4_5_vl_moe", "hunyuan_vl"))
"""Those that load, and whose prompts are their processor's own."""
UNLISTED_WITH_TORCHVISION = ("cohere2_vision",)
"""Those whose image processors transformers offers with torchvision only."""
