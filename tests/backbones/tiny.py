"""Real architectures in miniature: random weights, four layers, a tokenizer trained on the spot, no download.

Random weights are scaled up so that attention is far from uniform; otherwise no test of it could fail.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

WIDTH, HEADS, KV_HEADS, LAYERS = 64, 4, 2, 4
HEAD_SIZE = WIDTH // HEADS
GAIN = 6.0
CONTEXT = 8192
TEXTS = [
    "describe the main subject of this image in one short sentence what it is its colours and its lasting features",
    "what percentage of the image does the main subject cover answer with a single number 0 1 2 3 4 5 6 7 8 9 10 50",
    "a small white dog with brown ears is sitting on green grass in front of a red house",
    "remembered concepts they are not part of the picture this is named yes no Yes No user assistant User Assistant",
] * 20

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}{% if c['type'] == 'image' %}IMAGE"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Like the released template: all images of a turn first, then videos, then every text on a line of its own.
LLAVA_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }} {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
    "{% endif %}{% endfor %}{% for c in m['content'] %}{% if c['type'] == 'video' %}<video>{% endif %}{% endfor %}"
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ '\n' + c['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Like the released template: a blank after the role only when the turn begins with words.
IDEFICS_TEMPLATE = (
    "<|im_start|>{% for m in messages %}{{ m['role'] | capitalize }}{% if m['content'][0]['type'] == 'image' %}:"
    "{% else %}: {% endif %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}"
    "{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}TURN{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] | trim }}{% endif %}"
    "{% endfor %}END\n{% endfor %}{% if add_generation_prompt %}TURNmodel\n{% endif %}"
)


def gemma_template(turn: str, end: str, image: str) -> str:
    return GEMMA_TEMPLATE.replace("TURN", turn).replace("END", end).replace("IMAGE", image)


@dataclass(frozen=True)
class Words:
    """What a family's tokenizer knows beyond plain text.

    Attributes:
        kind: Kind of tokenizer, as published: "bytes" (byte-level BPE), "llama" (SentencePiece, a blank before the
            text), "llama legacy" (a blank before every stretch), "gemma" (SentencePiece without that blank).
        unmarked: Added tokens that are not special.
    """

    special: tuple[str, ...]
    template: str
    end: str
    named: dict[str, str] = field(default_factory=dict)
    bos: str | None = None
    kind: str = "bytes"
    unmarked: tuple[str, ...] = ()


TILE_MARKS = tuple(f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7))
INTERNVL = Words(
    ("<img>", "</img>", "<IMG_CONTEXT>", "<video>"),
    CHATML.replace("IMAGE", "<IMG_CONTEXT>\n{% elif c['type'] == 'video' %}<video>\n"),
    "<|im_end|>",
    {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    },
)
QWEN = Words(
    ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
    CHATML.replace(
        "IMAGE",
        "<|vision_start|><|image_pad|><|vision_end|>{% elif c['type'] == 'video' %}"
        "<|vision_start|><|video_pad|><|vision_end|>",
    ),
    "<|im_end|>",
    unmarked=("<tool_call>", "</tool_call>", "<think>", "</think>", "<box>"),
)
LLAVA = Words(("<image>", "<video>"), LLAVA_TEMPLATE, "<|im_end|>")
LLAVA_1_5 = Words(
    ("<s>", "<image>"),
    "{% for m in messages %}{{ m['role'] | upper }}: {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% if m['role'] == 'assistant' %}<|endoftext|>{% else %} "
    "{% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}",
    "<|endoftext|>",
    {"image_token": "<image>"},
    bos="<s>",
    kind="llama legacy",
)
# Like the one of the Mistral version.
LLAVA_NEXT = Words(
    ("<s>", "<image>"),
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>\n{% endif %}{% endfor %}{% for c in m['content'] %}"
    "{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %} [/INST]{% else %}{% for c in m['content'] %}"
    "{{ ' ' + c['text'] }}{% endfor %}<|endoftext|>{% endif %}{% endfor %}",
    "<|endoftext|>",
    {"image_token": "<image>"},
    bos="<s>",
    kind="llama",
)
FASTVLM = Words(("<image>",), CHATML.replace("IMAGE", "<image>\n"), "<|im_end|>", {"image_token": "<image>"})
IDEFICS = Words(
    ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<video>", *TILE_MARKS),
    IDEFICS_TEMPLATE,
    "<end_of_utterance>",
    {
        "fake_image_token": "<fake_token_around_image>",
        "image_token": "<image>",
        "end_of_utterance_token": "<end_of_utterance>",
        "global_image_token": "<global-img>",
    },
)
GEMMA3 = Words(
    ("<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"),
    gemma_template("<start_of_turn>", "<end_of_turn>", "<start_of_image>"),
    "<end_of_turn>",
    {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"},
    bos="<bos>",
    kind="gemma",
)
GEMMA4 = Words(
    (
        "<bos>",
        "<|turn>",
        "<turn|>",
        "<|image>",
        "<image|>",
        "<|image|>",
        "<|video|>",
        "<|audio>",
        "<audio|>",
        "<|audio|>",
    ),
    gemma_template("<|turn>", "<turn|>", "<|image|>{% elif c['type'] == 'video' %}<|video|>"),
    "<turn|>",
    {
        "boi_token": "<|image>",
        "eoi_token": "<image|>",
        "image_token": "<|image|>",
        "boa_token": "<|audio>",
        "eoa_token": "<audio|>",
        "audio_token": "<|audio|>",
    },
    bos="<bos>",
)


@cache
def tokenizer(family: str) -> PreTrainedTokenizerFast:
    words = MINIATURES[family].words
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<pad>", "<unk>", *words.special]
    backend = byte_level(special) if words.kind == "bytes" else sentence_piece(special, words.kind)
    made = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        eos_token=words.end,
        bos_token=words.bos,
        extra_special_tokens=words.named,
        model_input_names=["input_ids", "attention_mask"],
    )
    made.add_tokens([AddedToken(text, special=False, normalized=False) for text in words.unmarked])
    made.chat_template = words.template
    return made


def byte_level(special: list[str]) -> Tokenizer:
    """As Qwen, SmolVLM and others: byte pairs of words with the blank before them."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    return bpe


def sentence_piece(special: list[str], kind: str) -> Tokenizer:
    """As Llama, Mistral and Gemma: blanks are characters, unknown characters are bytes."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never" if kind == "gemma" else "first")
    alphabet = sorted({*"▁\n", *"".join(TEXTS)})
    trained.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(vocab_size=500, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    model = json.loads(trained.to_str())["model"]
    vocabulary = model["vocab"] | {f"<0x{byte:02X}>": len(model["vocab"]) + byte for byte in range(256)}
    merges = [tuple(pair) for pair in model["merges"]]
    bpe = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    blank = normalizers.Replace(" ", "▁")
    strip = [] if kind == "gemma" else [decoders.Strip(" ", 1, 0)]
    if kind == "llama":
        bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        bpe.normalizer = blank if kind == "gemma" else normalizers.Sequence([normalizers.Prepend("▁"), blank])
    bpe.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    bpe.add_special_tokens(special)
    return bpe


def token(family: str, text: str) -> int:
    return tokenizer(family).convert_tokens_to_ids(text)


def text_config(family: str, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer(family)) + 8,
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": CONTEXT,
        **more,
    }


def vision_config(**more: Any) -> dict[str, Any]:
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return {**shape, **more}


def internvl(family: str) -> Any:
    text = {"model_type": "qwen2"} if family == "internvl3" else {"model_type": "qwen3", "head_dim": HEAD_SIZE}
    return transformers.InternVLConfig(
        vision_config=vision_config(image_size=(112, 112), patch_size=(14, 14), use_mean_pooling=True),
        text_config=text_config(family, **text),
        image_token_id=token(family, "<IMG_CONTEXT>"),
        image_seq_length=16,
        downsample_ratio=0.5,
        tie_word_embeddings=False,  # as in the larger checkpoints; tied random weights only repeat themselves
    )


def qwen(family: str) -> Any:
    ids = {
        "image_token_id": token(family, "<|image_pad|>"),
        "video_token_id": token(family, "<|video_pad|>"),
        "vision_start_token_id": token(family, "<|vision_start|>"),
        "vision_end_token_id": token(family, "<|vision_end|>"),
    }
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 2, 2]}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "out_hidden_size": WIDTH}
    if family == "qwen2_5_vl":
        vision |= {"fullatt_block_indexes": [1], "window_size": 112, "patch_size": 14}
        text = text_config(family, rope_parameters=rope)
        return transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision, **ids)
    vision |= {"patch_size": 16, "num_position_embeddings": 256}
    rope |= {"mrope_interleaved": True, "partial_rotary_factor": 1.0}
    if family == "qwen3_vl":
        vision |= {"depth": 4, "deepstack_visual_indexes": [0, 1, 2]}
        text = text_config(family, head_dim=HEAD_SIZE, rope_parameters=rope)
        return transformers.Qwen3VLConfig(text_config=text, vision_config=vision, **ids)
    linear = {"linear_num_key_heads": 4, "linear_num_value_heads": 4}
    linear |= {"linear_key_head_dim": 16, "linear_value_head_dim": 16}
    # published ones have one full layer in four; here two, so that what the first does reaches the second
    linear |= {"layer_types": ["linear_attention", "full_attention"] * (LAYERS // 2)}
    text = text_config(family, head_dim=HEAD_SIZE, rope_parameters=rope, **linear)
    return transformers.Qwen3_5Config(text_config=text, vision_config=vision, **ids)


def llava(family: str) -> Any:
    steps = range(1, 7)
    return transformers.LlavaOnevisionConfig(
        vision_config=vision_config(
            model_type="siglip_vision_model", image_size=56, patch_size=14, vision_use_head=False
        ),
        text_config=text_config(family, model_type="qwen2"),
        image_token_index=token(family, "<image>"),
        video_token_index=token(family, "<video>"),
        image_grid_pinpoints=[[56 * row, 56 * col] for row in steps for col in steps],
    )


def llava_next(family: str) -> Any:
    return transformers.LlavaNextConfig(
        vision_config=vision_config(model_type="clip_vision_model", image_size=56, patch_size=14, projection_dim=32),
        text_config=text_config(family, model_type="mistral", sliding_window=None),
        image_token_index=token(family, "<image>"),
        image_grid_pinpoints=NEXT_PINPOINTS,
        vision_feature_layer=-1,
    )


def llava_1_5(family: str) -> Any:
    return transformers.LlavaConfig(
        vision_config=vision_config(model_type="clip_vision_model", image_size=56, patch_size=14, projection_dim=32),
        text_config=text_config(family, model_type="llama"),
        image_token_index=token(family, "<image>"),
        vision_feature_layer=-1,
    )


def vipllava(family: str) -> Any:
    return transformers.VipLlavaConfig(
        vision_config=vision_config(model_type="clip_vision_model", image_size=56, patch_size=14, projection_dim=32),
        text_config=text_config(family, model_type="llama"),
        image_token_index=token(family, "<image>"),
        vision_feature_layers=[-1, -2],
    )


def fast_vlm(family: str) -> Any:
    """With a convolutional tower of transformers itself: a 4-D feature map, 8 pixels a cell."""
    tower = transformers.EfficientNetConfig(
        image_size=48,
        in_channels=[32, 8, 16],
        out_channels=[8, 16, 32],
        kernel_sizes=[3, 3, 3],
        strides=[1, 2, 2],
        num_block_repeats=[1, 1, 1],
        expand_ratios=[1, 2, 2],
        depthwise_padding=[],
        width_coefficient=1.0,
        depth_coefficient=1.0,
        hidden_dim=1280,
        hidden_size=1280,
    )
    return transformers.FastVlmConfig(
        vision_config=tower,
        text_config=text_config(family, model_type="qwen2"),
        image_token_index=token(family, "<image>"),
    )


def idefics(family: str) -> Any:
    kind = transformers.SmolVLMConfig if family == "smolvlm" else transformers.Idefics3Config
    return kind(
        vision_config=vision_config(image_size=64, patch_size=8),
        text_config=text_config(family, model_type="llama", pad_token_id=token(family, "<pad>")),
        image_token_id=token(family, "<image>"),
        scale_factor=2,
    )


def gemma3(family: str) -> Any:
    kinds = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    return transformers.Gemma3Config(
        vision_config=vision_config(
            model_type="siglip_vision_model", image_size=112, patch_size=14, vision_use_head=False
        ),
        text_config=text_config(
            family, head_dim=HEAD_SIZE, query_pre_attn_scalar=HEAD_SIZE, sliding_window=24, layer_types=kinds
        ),
        mm_tokens_per_image=16,
        boi_token_index=token(family, "<start_of_image>"),
        eoi_token_index=token(family, "<end_of_image>"),
        image_token_index=token(family, "<image_soft_token>"),
    )


def gemma4(family: str) -> Any:
    text = text_config(
        family,
        head_dim=HEAD_SIZE,
        sliding_window=24,
        vocab_size_per_layer_input=len(tokenizer(family)) + 8,
        hidden_size_per_layer_input=16,
        use_bidirectional_attention="vision",
        layer_types=["sliding_attention"] * 3 + ["full_attention"],
    )
    vision = vision_config(num_key_value_heads=4, head_dim=8, patch_size=4, pooling_kernel_size=3)
    return transformers.Gemma4Config(
        vision_config={**vision, "position_embedding_size": 256},
        text_config=text,
        audio_config=None,
        boi_token_id=token(family, "<|image>"),
        eoi_token_id=token(family, "<image|>"),
        image_token_id=token(family, "<|image|>"),
        video_token_id=token(family, "<|video|>"),
        boa_token_id=token(family, "<|audio>"),
        eoa_token_index=token(family, "<audio|>"),
        audio_token_id=token(family, "<|audio|>"),
    )


def square(side: int) -> dict[str, Any]:
    return {"size": {"height": side, "width": side}}


def qwen_images(patch: int) -> dict[str, Any]:
    token_area = (2 * patch) ** 2
    size = {"shortest_edge": token_area, "longest_edge": token_area * 2048}
    return {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": patch, "merge_size": 2, "size": size}


def idefics_images(kind: str) -> dict[str, Any]:
    sizes = {"size": {"longest_edge": 256}, "max_image_size": {"longest_edge": 64}}
    return {"image_processor_type": kind, "do_image_splitting": True, **sizes}


@dataclass(frozen=True)
class Miniature:
    """How to make one: its words, its config, and the processor files as on the Hub."""

    words: Words
    config: Callable[[str], Any]
    images: dict[str, Any]
    processor: dict[str, Any]
    videos: dict[str, Any] | None = None


GOT = {"image_processor_type": "GotOcr2ImageProcessorFast", "crop_to_patches": True, "max_patches": 12, **square(112)}
PINPOINTS = [[56 * row, 56 * col] for row in range(1, 7) for col in range(1, 7)]
NEXT_PINPOINTS = [[56, 112], [112, 56], [112, 112], [168, 56], [56, 168]]
LLAVA_IMAGES = {"image_processor_type": "LlavaOnevisionImageProcessor", "image_grid_pinpoints": PINPOINTS, **square(56)}
LLAVA_SETTINGS = {
    "num_image_tokens": 16,
    "vision_feature_select_strategy": "full",
    "vision_aspect_ratio": "anyres_max_9",
}
GEMMA4_IMAGES = {"patch_size": 4, "pooling_kernel_size": 3, "max_soft_tokens": 70}
CLIP_COLOURS = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
GREY_COLOURS = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def squares(kind: str, side: int) -> dict[str, Any]:
    return {"video_processor_type": kind, "resample": 3, **square(side), **CLIP_COLOURS}


SMOL_FRAMES = {
    "video_processor_type": "SmolVLMVideoProcessor",
    "resample": 1,
    "size": {"longest_edge": 128},
    "max_image_size": {"longest_edge": 64},
    **GREY_COLOURS,
}
INTERNVL_SETTINGS = {"processor_class": "InternVLProcessor", "image_seq_length": 16}
MINIATURES = {
    "internvl3": Miniature(INTERNVL, internvl, GOT, INTERNVL_SETTINGS, squares("InternVLVideoProcessor", 112)),
    "internvl3_5": Miniature(INTERNVL, internvl, GOT, INTERNVL_SETTINGS, squares("InternVLVideoProcessor", 112)),
    "qwen2_5_vl": Miniature(QWEN, qwen, qwen_images(14), {"processor_class": "Qwen2_5_VLProcessor"}),
    "qwen3_vl": Miniature(QWEN, qwen, qwen_images(16), {"processor_class": "Qwen3VLProcessor"}),
    "qwen3_5": Miniature(QWEN, qwen, qwen_images(16), {"processor_class": "Qwen3VLProcessor"}),
    "llava_onevision": Miniature(
        LLAVA,
        llava,
        LLAVA_IMAGES,
        {"processor_class": "LlavaOnevisionProcessor", **LLAVA_SETTINGS},
        squares("LlavaOnevisionVideoProcessor", 56),
    ),
    "smolvlm": Miniature(
        IDEFICS,
        idefics,
        idefics_images("SmolVLMImageProcessor"),
        {"processor_class": "SmolVLMProcessor", "image_seq_len": 16},
        SMOL_FRAMES,
    ),
    "idefics3": Miniature(
        IDEFICS,
        idefics,
        idefics_images("Idefics3ImageProcessor"),
        {"processor_class": "Idefics3Processor", "image_seq_len": 16},
    ),
    "gemma3": Miniature(
        GEMMA3,
        gemma3,
        {"image_processor_type": "Gemma3ImageProcessor", **square(112)},
        {"processor_class": "Gemma3Processor", "image_seq_length": 16},
    ),
    "gemma4": Miniature(
        GEMMA4,
        gemma4,
        {"image_processor_type": "Gemma4ImageProcessor", **GEMMA4_IMAGES},
        {"processor_class": "Gemma4Processor"},
    ),
}
MINIATURES["fast_vlm"] = Miniature(
    FASTVLM,
    fast_vlm,
    {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 48}, "crop_size": square(48)["size"]},
    {"processor_class": "LlavaProcessor", "patch_size": 8, "vision_feature_select_strategy": "full"},
)
CLIP = {"patch_size": 14, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
MINIATURES["llava"] = Miniature(
    LLAVA_1_5,
    llava_1_5,
    {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 56}, "crop_size": square(56)["size"]},
    {"processor_class": "LlavaProcessor", **CLIP},
)
MINIATURES["llava_next"] = Miniature(
    LLAVA_NEXT,
    llava_next,
    {
        "image_processor_type": "LlavaNextImageProcessor",
        "size": {"shortest_edge": 56},
        "crop_size": square(56)["size"],
        "image_grid_pinpoints": NEXT_PINPOINTS,
    },
    {"processor_class": "LlavaNextProcessor", **CLIP},
)
FAMILIES = tuple(MINIATURES)
UNLISTED = "vipllava"
"""A real architecture that is not in the table of families."""
MINIATURES[UNLISTED] = Miniature(
    LLAVA_1_5,
    vipllava,
    {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 56}, "crop_size": square(56)["size"]},
    {"processor_class": "LlavaProcessor", **CLIP},
)


@torch.no_grad()
def make_model(family: str, attention: str = "sdpa", gain: float = GAIN) -> Any:
    """Build one with random weights of a fixed seed."""
    torch.manual_seed(0)
    config = MINIATURES[family].config(family)
    model = transformers.AutoModelForImageTextToText.from_config(config, attn_implementation={"text_config": attention})
    for name, parameter in model.named_parameters():
        if "vision" not in name and "visual" not in name and name.endswith(("q_proj.weight", "k_proj.weight")):
            parameter.mul_(gain)
        if "mm_input_projection_weight" in name:  # zero at first (Gemma 3): every image would look the same
            parameter.normal_(0, 0.05)
    for module in model.modules():  # else the features of a convolutional tower fade out
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
        elif isinstance(module, torch.nn.Conv2d) and family == "fast_vlm":
            torch.nn.init.kaiming_normal_(module.weight)
    model.get_input_embeddings().weight.mul_(gain)
    model.generation_config.eos_token_id = token(family, MINIATURES[family].words.end)
    model.generation_config.pad_token_id = token(family, "<pad>")
    return model.eval()


def save(family: str, folder: Path, gain: float = GAIN) -> Path:
    """Write a checkpoint folder laid out as on the Hub."""
    made = MINIATURES[family]
    make_model(family, gain=gain).save_pretrained(folder)
    tokenizer(family).save_pretrained(folder)
    images = {**made.images, "processor_class": made.processor["processor_class"]}
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    (folder / "processor_config.json").write_text(json.dumps(made.processor))
    if made.videos is not None:
        (folder / "video_preprocessor_config.json").write_text(json.dumps(made.videos))
    return folder


def picture(width: int = 160, height: int = 96, seed: int = 0) -> Image.Image:
    """Paint soft coloured blobs, different for every seed."""
    blobs = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blobs).resize((width, height), Image.Resampling.BICUBIC)
