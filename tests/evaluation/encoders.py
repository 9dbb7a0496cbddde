"""Tiny random encoders of the real architectures, saved as folders: what peers need, without a download."""

from pathlib import Path

import torch
import transformers

from ego.evaluation.methods.peers.encoders import PeerSettings
from tests.backbones.tiny import tokenizer

NOTE = "tiny random encoders: figures mean nothing"
LAYERS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def save_encoders(folder: Path) -> PeerSettings:
    torch.manual_seed(0)
    return PeerSettings(
        clip=str(_clip(folder / "clip")),
        dino=str(_dino(folder / "dino")),
        detector=str(_detector(folder / "owl")),
        detector_threshold=0.0,
        segmenter=str(_segmenter(folder / "sam")),
        note=NOTE,
    )


def save_convolutional(folder: Path) -> PeerSettings:
    """Save an encoder of images alone that gives a feature map, for both roles; nothing detects or segments."""
    torch.manual_seed(0)
    config = transformers.ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic")
    transformers.ResNetModel(config).save_pretrained(folder)
    size = {"size": {"height": 64, "width": 64}, "do_center_crop": False}
    transformers.CLIPImageProcessorPil(**size).save_pretrained(folder)
    source = str(folder)
    return PeerSettings(clip=source, dino=source, dino_side=64, detector="", segmenter="", note=NOTE)


def _words() -> dict[str, int]:
    words = tokenizer("idefics3")
    return {"vocab_size": len(words), "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 3}


def _save_words(folder: Path, longest: int) -> None:
    words = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer("idefics3").backend_tokenizer, pad_token="<pad>", model_max_length=longest
    )
    words.save_pretrained(folder)


def _clip(folder: Path) -> Path:
    config = transformers.CLIPConfig(
        text_config={**LAYERS, **_words(), "max_position_embeddings": 64},
        vision_config={**LAYERS, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    transformers.CLIPImageProcessorPil(**size).save_pretrained(folder)
    _save_words(folder, 64)
    return folder


def _dino(folder: Path) -> Path:
    config = transformers.Dinov2Config(**{**LAYERS, "mlp_ratio": 2}, image_size=56, patch_size=14)
    transformers.Dinov2Model(config).save_pretrained(folder)
    transformers.BitImageProcessorPil().save_pretrained(folder)
    return folder


def _detector(folder: Path) -> Path:
    config = transformers.Owlv2Config(
        text_config={**LAYERS, **_words(), "max_position_embeddings": 16},
        vision_config={**LAYERS, "image_size": 32, "patch_size": 8},
        projection_dim=32,
    )
    transformers.Owlv2ForObjectDetection(config).save_pretrained(folder)
    transformers.Owlv2ImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    _save_words(folder, 16)
    (folder / "processor_config.json").write_text('{"processor_class": "Owlv2Processor"}')
    return folder


def _segmenter(folder: Path) -> Path:
    config = transformers.SamConfig(
        vision_config={
            **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "mlp_dim": 64},
            **{
                "image_size": 64,
                "patch_size": 16,
                "output_channels": 32,
                "window_size": 2,
                "global_attn_indexes": [1],
                "num_pos_feats": 16,
            },
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 16, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 32, "mlp_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    )
    transformers.SamModel(config).save_pretrained(folder)
    transformers.SamImageProcessorPil(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}, mask_size={"longest_edge": 16}
    ).save_pretrained(folder)
    (folder / "processor_config.json").write_text('{"processor_class": "SamProcessor"}')
    return folder
