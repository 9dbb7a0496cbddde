"""Proof at load that videos are the model's own, too; a model of which that cannot be shown sees several images.

Ids, timestamps and rotary positions are compared with the model's processor, and the answer to a video with the answer
to its own visual tokens. Where torchvision is installed, the checkpoint's own video processor takes part, and its
patches are compared with those made here.
"""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image

from ego.backbones.empty_places import METADATA
from ego.backbones.huggingface import HuggingFaceBackbone
from ego.backbones.parity import compare_videos
from ego.backbones.self_check import QUESTION, inputs_with_pixels, plain_logits
from ego.backbones.tolerance import relative_difference, tolerance
from ego.backbones.video_encoding import VIDEO_FAULTS, first_line
from ego.errors import EgoError
from ego.prompt import Prompt, introduction_prompt

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
    except VIDEO_FAULTS as cause:
        wrong = first_line(cause)
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
    read = "frame by frame" if backbone.videos.writer.frames.temporal_patch_size == 1 else "pairs of frames"
    return f"{read}: {sizes}{patches}; logits differ by {_difference_of_logits(backbone):.1e}"


def _difference_of_patches(backbone: HuggingFaceBackbone, own: Any) -> float:
    """Compare patches with those of the checkpoint's own video processor."""
    assert backbone.videos is not None
    writer = backbone.videos.writer
    frames, options = writer.native(_frames(), SECONDS)
    ours, theirs = writer.frames([frames], **options), own.video_processor([frames], return_tensors="pt", **options)
    difference = 0.0
    for name, made in ours.items():
        if name == METADATA:
            continue
        if name not in theirs or made.shape != theirs[name].shape:
            raise EgoError(f"{name} has another shape than its video processor's")
        difference = max(difference, float((made - theirs[name]).abs().max()))
    if not difference <= PATCHES_MAY_DIFFER:
        raise EgoError(f"patches differ from those of its video processor by {difference:.1e}")
    return difference


def _difference_of_logits(backbone: HuggingFaceBackbone) -> float:
    """Compare the answer to a video with the answer to its visual tokens."""
    assert backbone.videos is not None
    frames = _frames()
    prompt = introduction_prompt(backbone.encode_video(frames, SECONDS), QUESTION)
    plain = plain_logits(backbone, _inputs(backbone, prompt, backbone.videos.writer.write(frames, SECONDS).inputs))
    difference = relative_difference(backbone.next_token_logits([prompt])[0], plain)
    if not difference <= tolerance(backbone.dtype):
        raise EgoError(f"logits of a video and of its own visual tokens differ by {difference:.0%}")
    return difference


def _inputs(backbone: HuggingFaceBackbone, prompt: Prompt, prepared: Mapping[str, Any]) -> dict[str, Any]:
    """Hand the frames over as pixels; with rotary positions, which a model with several axes would remember."""
    inputs = inputs_with_pixels(backbone, prompt, prepared)
    if not backbone.has_axes:
        return inputs
    places = backbone.lay_out(prompt)[1].places
    order = torch.arange(places.shape[-1])[None]
    return {**inputs, "position_ids": torch.cat([order, places])[:, None].to(backbone.device)}


def _frames() -> list[Image.Image]:
    """Draw frames that differ."""
    slope = Image.linear_gradient("L").resize(FRAME)
    turned = [slope, slope.transpose(Image.Transpose.FLIP_TOP_BOTTOM), Image.radial_gradient("L").resize(FRAME)]
    return [Image.merge("RGB", [turned[(number + band) % 3] for band in range(3)]) for number in range(len(SECONDS))]
