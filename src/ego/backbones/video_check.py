"""Proof at load that videos are the model's own, too; a model of which that cannot be shown sees several images.

Ids, timestamps and rotary positions are compared with the model's processor, and the answer to a video with the answer
to its own visual tokens. Where torchvision is installed, the checkpoint's own video processor takes part, and its
patches are compared with those made here.
"""

import logging
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ego.backbones.assembly import Tokens
from ego.backbones.frame_pairs import GRID, PIXELS
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.parity import compare_videos
from ego.backbones.self_check import QUESTION, on_device
from ego.backbones.tolerance import relative_difference, tolerance
from ego.errors import EgoError
from ego.prompt import introduction_prompt

PATCHES_MAY_DIFFER = 1e-4
"""Pixels have a standard deviation of 1; the two ways round differently."""
SEVERAL_IMAGES = "several images"
FRAME, SECONDS = (160, 96), (0.0, 0.5, 1.0, 1.5)
_log = logging.getLogger(__name__)


def settle_videos(backbone: HuggingFaceBackbone) -> str:
    """Keep videos as they are if they are proved to be the model's own; else show them as several images.

    Returns:
        What was found, in a few words.
    """
    if backbone.videos is None:
        return SEVERAL_IMAGES
    try:
        found = _proof(backbone)
        wrong = ""
    except (EgoError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError) as cause:
        wrong = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    if wrong:
        backbone.without_videos()
        _log.warning("%s: videos are shown as several images: %s", backbone.card.model_id, wrong)
        return f"{SEVERAL_IMAGES}: {wrong}"
    return found


def _proof(backbone: HuggingFaceBackbone) -> str:
    assert backbone.videos is not None
    own = backbone.videos.writer.own_processor()
    found = list(compare_videos(backbone, own))
    for one in found:
        if one.difference:
            raise EgoError(f"the prompt for {one.conversation} is not its processor's: {one.difference}")
    sizes = ", ".join(f"{one.conversation} ({one.tokens} tokens)" for one in found)
    patches = "" if own is None else f"; patches differ by {_difference_of_patches(backbone, own):.1e}"
    return f"pairs of frames: {sizes}{patches}; logits differ by {_difference_of_logits(backbone):.1e}"


def _difference_of_patches(backbone: HuggingFaceBackbone, own: Any) -> float:
    """Compare patches with those of the checkpoint's own video processor."""
    assert backbone.videos is not None
    writer = backbone.videos.writer
    frames, options = writer.native(_frames(), SECONDS)
    ours, theirs = writer.pairs([frames], **options), own.video_processor([frames], return_tensors="pt", **options)
    if ours[GRID].tolist() != theirs[GRID].tolist():
        raise EgoError(
            f"patches lie in a grid of {ours[GRID].tolist()}, its video processor's in {theirs[GRID].tolist()}"
        )
    difference = float((ours[PIXELS] - theirs[PIXELS]).abs().max())
    if not difference <= PATCHES_MAY_DIFFER:
        raise EgoError(f"patches differ from those of its video processor by {difference:.1e}")
    return difference


def _difference_of_logits(backbone: HuggingFaceBackbone) -> float:
    """Compare the answer to a video with the answer to its visual tokens."""
    assert backbone.videos is not None
    frames = _frames()
    prompt = introduction_prompt(backbone.encode_video(frames, SECONDS), QUESTION)
    tokens = backbone.lay_out(prompt)[1]
    pixels = {name: backbone.videos.writer.write(frames, SECONDS).inputs[name] for name in (PIXELS, GRID)}
    plain = _plain_logits(backbone, tokens, pixels)
    difference = relative_difference(backbone.next_token_logits([prompt])[0], plain)
    if not difference <= tolerance(backbone.dtype):
        raise EgoError(f"logits of a video and of its own visual tokens differ by {difference:.0%}")
    return difference


@torch.no_grad()
def _plain_logits(backbone: HuggingFaceBackbone, tokens: Tokens, pixels: dict[str, Tensor]) -> Tensor:
    order = torch.arange(len(tokens))[None]
    inputs = {
        "input_ids": tokens.ids[None],
        "attention_mask": torch.ones_like(tokens.ids)[None],
        "position_ids": torch.cat([order, tokens.places])[:, None],
        **pixels,
    }
    inputs = {name: on_device(value, backbone) for name, value in inputs.items()}
    logits: Tensor = backbone.model(**inputs, use_cache=False, logits_to_keep=1).logits
    return logits[0, -1].float().cpu()


def _frames() -> list[Image.Image]:
    """Draw frames that differ."""
    slope = Image.linear_gradient("L").resize(FRAME)
    turned = [slope, slope.transpose(Image.Transpose.FLIP_TOP_BOTTOM), Image.radial_gradient("L").resize(FRAME)]
    return [Image.merge("RGB", [turned[(number + band) % 3] for band in range(3)]) for number in range(len(SECONDS))]
